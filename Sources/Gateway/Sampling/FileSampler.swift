internal import EventLoop
internal import Logging
internal import Sensors
internal import Telemetry

/// All sensors that are read from files of the kernel: each at its interval, on a thread of the pool.
actor FileSampler {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// Threads at most: a sensor whose bus hangs keeps one.
  static let threadLimit = 8
  /// How late a reading may be, so that wake-ups coincide.
  private static let accuracy = Duration.milliseconds(50)

  private let loop: EventLoop
  private let pool: BlockingPool
  private let log: Logger
  private let makeReader: @Sendable (SensorOptions) -> (any FileSensor)?
  private var intake: Intake
  /// In the order of `intake`; empty before the start and after the stop.
  private var slots: [Slot] = []
  private var timer: TimerSource?
  private var staleTimer: StaleTimer?

  /// One sensor's reader, its times, and who waits for it. @unchecked: used on the loop alone.
  private final class Slot: @unchecked Sendable {
    let options: SensorOptions
    /// `nil` while it is being read.
    var reader: (any FileSensor)?
    var times: PollTimes
    var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ options: SensorOptions, _ reader: (any FileSensor)?, at now: Duration) {
      self.options = options
      self.reader = reader
      times = PollTimes(every: options.interval ?? SensorOptions.defaultInterval, first: now)
    }

    func resumeAll() {
      let waiting = waiting
      self.waiting = []
      for continuation in waiting { continuation.resume() }
    }
  }

  init(
    on loop: EventLoop, _ sensors: [SensorOptions], recorders: [Recorder], pool: BlockingPool, log: Logger,
    publish: @escaping Intake.Publisher,
    makeReader: @escaping @Sendable (SensorOptions) -> (any FileSensor)? = { SensorProtocols.fileSensor($0) }
  ) {
    self.loop = loop
    self.pool = pool
    self.makeReader = makeReader
    self.log = log
    intake = Intake(sensors, at: "this board", recorders: recorders, publish: publish, log: log)
  }

  var sensors: [SensorStatus] { intake.sensors }

  /// - Throws: `SystemError` without a timer to be had.
  func start() throws(SystemError) {
    timer = try TimerSource(loop, clock: .boottime, accuracy: Self.accuracy) { [weak self] in
      self?.assumeIsolated { $0.look() }
    }
    staleTimer = try StaleTimer(on: loop) { [weak self] in self?.assumeIsolated { $0.lookAfterStale() } }
    begin()
  }

  /// Takes other sensors. One whose options are the same stays as it is, a reading under way included; of one that
  /// differs that is dropped.
  func use(_ sensors: [SensorOptions], recorders: [Recorder]) {
    if intake.use(sensors, recorders: recorders), timer != nil { begin() }
  }

  /// No reading comes after it; one under way ends by itself.
  func stop() {
    timer = nil
    staleTimer = nil
    replace([])
  }

  /// Reads a sensor now, or waits for the reading under way.
  ///
  /// - Returns: Its newest values; `nil` for an unknown one.
  func readNow(_ name: String) async -> [Reading]? {
    guard let index = intake.sensors.firstIndex(where: { $0.name == name }) else { return nil }
    // Nothing is read before the start, and after a stop.
    if slots.indices.contains(index) {
      let slot = slots[index]
      if slot.times.beginNow() { read(slot, as: index) }
      if slot.times.isUnderWay { await withCheckedContinuation { slot.waiting.append($0) } }
    }
    return intake.sensors.first { $0.name == name }?.latest.map { Reading($0.key, $0.value) }
  }

  private func begin() {
    let now = Uptime.boottime
    replace(
      intake.options.map { options in
        slots.first { $0.options == options } ?? Slot(options, makeReader(options), at: now)
      })
    staleTimer?.arm(after: intake.nextStaleness(at: .now()))
    intake.publishStaleness()
    look()
  }

  private func replace(_ new: [Slot]) {
    let gone = slots.filter { slot in !new.contains { $0 === slot } }
    slots = new
    for slot in gone { slot.resumeAll() }
  }

  private func look() {
    let now = Uptime.boottime
    for (index, slot) in slots.enumerated() {
      switch slot.times.look(at: now) {
      case .begin: read(slot, as: index)
      case .missed: intake.noteMissed(index)
      case .notYet: break
      }
    }
    if let next = slots.map(\.times.due).min() { timer?.arm(after: max(.zero, next - now)) }
  }

  private func read(_ slot: Slot, as index: Int) {
    guard let reader = slot.reader else { return ended(slot) }
    slot.reader = nil
    pool.submit { [weak self, loop, slot] in
      var (reader, output) = (reader, DecoderOutput())
      reader.read(as: index, into: &output)
      loop.execute { [weak self, reader, output] in
        self?.assumeIsolated { $0.took(output, from: reader, slot) }
      }
    }
  }

  private func took(_ output: DecoderOutput, from reader: any FileSensor, _ slot: Slot) {
    guard let index = slots.firstIndex(where: { $0 === slot }) else { return }
    slot.reader = reader
    // It may stand elsewhere by now.
    var output = output
    for place in output.samples.indices { output.samples[place].sensor = index }
    for place in output.faults.indices { output.faults[place].sensor = index }
    intake.take(&output)
    ended(slot)
  }

  private func ended(_ slot: Slot) {
    slot.times.ended()
    slot.resumeAll()
  }

  private func lookAfterStale() {
    let now = CaptureTime.now()
    _ = intake.lookAfterStale(at: now)
    staleTimer?.arm(after: intake.nextStaleness(at: now))
  }
}
