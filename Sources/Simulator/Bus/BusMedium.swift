/// The pair of wires that all share, as a value: who sends when, what arrives where, what two spoil for one another.
struct BusMedium {
  /// Passages that are kept.
  static let passageLimit = 100_000

  private let options: PacedBus.Options
  private let characterTime: UInt64
  private(set) var toMaster: BusWire
  private(set) var toSlave: BusWire
  /// When what each end has begun is over.
  private var masterBusy: UInt64 = 0
  private var slaveBusy: UInt64 = 0
  private var noiseState: UInt64 = 0x5DEE_CE66
  private var noiseBusy: UInt64 = 0
  /// The slave has sent, and what follows its answer has not been made up yet.
  private var awaitsNoise = false
  private(set) var counts = PacedBus.Counts()
  private(set) var passages: [PacedBus.Passage] = []

  init(_ options: PacedBus.Options) {
    self.options = options
    toMaster = BusWire(options.masterTiming)
    let uart = WireTiming.uart(baud: options.baud)
    toSlave = BusWire(uart)
    characterTime = uart.characterTime
  }

  /// An end has handed bytes to its transmitter.
  mutating func send(_ bytes: [UInt8], from end: PacedBus.End, at now: UInt64) {
    guard !bytes.isEmpty else { return }
    switch end {
    case .master:
      let start = max(now, masterBusy)
      let isSpoilt = slaveBusy > start
      if isSpoilt { collide(at: start) }
      let carried = isSpoilt ? bytes.map { $0 ^ 0xFF } : bytes
      toSlave.add(carried, at: start)
      if options.echoes { toMaster.add(carried, at: start) }
      note(bytes, .master, start, joined: masterBusy >= now)
      masterBusy = start + UInt64(bytes.count) * characterTime
      counts.fromMaster += bytes.count
    case .slave:
      var start = max(now, slaveBusy, noiseBusy)
      if options.isNoisy, slaveBusy < now { start = addNoise(upTo: 3, at: start) }
      let isSpoilt = masterBusy > start
      if isSpoilt { collide(at: start) }
      toMaster.add(isSpoilt ? bytes.map { $0 ^ 0xFF } : bytes, at: start)
      note(bytes, .slave, start, joined: slaveBusy >= now)
      slaveBusy = start + UInt64(bytes.count) * characterTime
      counts.fromSlave += bytes.count
      awaitsNoise = options.isNoisy
    }
  }

  /// When something is to be done next.
  var due: UInt64? { [toMaster.due, toSlave.due, noiseDue].compactMap { $0 }.min() }

  /// What each end's receiver hands over now.
  mutating func take(at now: UInt64) -> (master: [UInt8], slave: [UInt8]) {
    if let noiseDue, noiseDue <= now {
      awaitsNoise = false
      _ = addNoise(upTo: 2, at: noiseDue)
    }
    return (toMaster.take(at: now), toSlave.take(at: now))
  }

  mutating func lose(_ count: Int) { counts.lost += count }

  /// The master's end goes: what was on its way there is lost.
  mutating func cutMaster() {
    toMaster.removeAll()
    awaitsNoise = false
  }

  // MARK: Trouble

  private mutating func collide(at time: UInt64) {
    counts.collisions += 1
    toMaster.spoil(after: time)
    toSlave.spoil(after: time)
  }

  /// A character's time after the answer.
  private var noiseDue: UInt64? { awaitsNoise ? slaveBusy + characterTime : nil }

  /// - Returns: When it is over.
  private mutating func addNoise(upTo most: UInt64, at start: UInt64) -> UInt64 {
    let bytes = (0..<random() % (most + 1)).map { _ in UInt8(truncatingIfNeeded: random()) }
    toMaster.add(bytes, at: start)
    counts.noise += bytes.count
    noiseBusy = start + UInt64(bytes.count) * characterTime
    return noiseBusy
  }

  /// The same noise each time: Knuth's MMIX generator, of which the upper bits are good.
  private mutating func random() -> UInt64 {
    noiseState = noiseState &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return noiseState >> 33
  }

  private mutating func note(_ bytes: [UInt8], _ end: PacedBus.End, _ start: UInt64, joined: Bool) {
    guard options.keepsPassages else { return }
    let over = start + UInt64(bytes.count) * characterTime
    if joined, let last = passages.last, last.from == end, last.end == start {
      passages[passages.count - 1].bytes += bytes
      passages[passages.count - 1].end = over
    } else if passages.count < Self.passageLimit {
      passages.append(PacedBus.Passage(from: end, bytes: bytes, start: start, end: over))
    }
  }
}
