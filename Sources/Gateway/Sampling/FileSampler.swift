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
  private var intake: Intake
  /// Of each sensor; `nil` while it is being read.
  private var readers: [(any FileSensor)?] = []
  private var times: [PollTimes] = []
  /// Counts the changes: what was begun before one is not put back after it.
  private var generation = 0
  private var timer: TimerSource?
  private var staleTimer: StaleTimer?
  private var waiting: [Int: [CheckedContinuation<Void, Never>]] = [:]

  init(
    on loop: EventLoop, _ sensors: [SensorOptions], recorders: [Recorder], pool: BlockingPool, log: Logger,
    publish: @escaping Intake.Publisher
  ) {
    self.loop = loop
    self.pool = pool
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

  /// Takes other sensors; a reading under way of one that differs is dropped.
  func use(_ sensors: [SensorOptions], recorders: [Recorder]) {
    if intake.use(sensors, recorders: recorders) { begin() }
  }

  /// No reading comes after it; one under way ends by itself.
  func stop() {
    generation += 1
    timer = nil
    staleTimer = nil
    let waiting = waiting.values.flatMap { $0 }
    self.waiting = [:]
    for continuation in waiting { continuation.resume() }
  }

  /// Reads a sensor now, or waits for the reading under way.
  ///
  /// - Returns: Its newest values; `nil` for an unknown one.
  func readNow(_ name: String) async -> [Reading]? {
    guard let index = intake.sensors.firstIndex(where: { $0.name == name }) else { return nil }
    // Nothing is read before the start, and after a stop.
    if timer != nil, times.indices.contains(index) {
      if times[index].beginNow() { read(index) }
      if times[index].isUnderWay { await withCheckedContinuation { waiting[index, default: []].append($0) } }
    }
    return intake.sensors.first { $0.name == name }?.latest.map { Reading($0.key, $0.value) }
  }

  private func begin() {
    generation += 1
    let waiting = waiting.values.flatMap { $0 }
    self.waiting = [:]
    for continuation in waiting { continuation.resume() }
    readers = intake.options.map { SensorProtocols.fileSensor($0) }
    let now = Uptime.boottime
    times = intake.options.map { PollTimes(every: $0.interval ?? SensorOptions.defaultInterval, first: now) }
    staleTimer?.arm(after: intake.nextStaleness(at: .now()))
    intake.publishStaleness()
    look()
  }

  private func look() {
    let now = Uptime.boottime
    for index in times.indices {
      switch times[index].look(at: now) {
      case .begin: read(index)
      case .missed: intake.noteMissed(index)
      case .notYet: break
      }
    }
    if let next = times.map(\.due).min() { timer?.arm(after: max(.zero, next - now)) }
  }

  private func read(_ index: Int) {
    guard let reader = readers[index] else { return ended(index) }
    readers[index] = nil
    pool.submit { [weak self, loop, generation] in
      var (reader, output) = (reader, DecoderOutput())
      reader.read(as: index, into: &output)
      loop.execute { [weak self, reader, output] in
        self?.assumeIsolated { $0.took(output, from: reader, index, generation) }
      }
    }
  }

  private func took(_ output: DecoderOutput, from reader: any FileSensor, _ index: Int, _ generation: Int) {
    guard generation == self.generation else { return }
    readers[index] = reader
    var output = output
    intake.take(&output)
    ended(index)
  }

  private func ended(_ index: Int) {
    times[index].ended()
    for continuation in waiting.removeValue(forKey: index) ?? [] { continuation.resume() }
  }

  private func lookAfterStale() {
    let now = CaptureTime.now()
    _ = intake.lookAfterStale(at: now)
    staleTimer?.arm(after: intake.nextStaleness(at: now))
  }
}
