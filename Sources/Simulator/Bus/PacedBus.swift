internal import CKernel
internal import Foundation

/// A half-duplex bus between two virtual serial ports, the master's and the slaves': bytes take their time on it as on a
/// real one, in both directions, and two who send at once spoil each other's.
///
/// A thread of its own carries them. All members may be called from any thread.
public final class PacedBus: @unchecked Sendable {
  // @unchecked: all state is guarded by `condition`; a terminal goes only while the thread does not wait on it.

  public let options: Options
  /// The symbolic link that the master opens.
  public let link: String
  /// The symbolic link that the slaves' program opens.
  public let slaveLink: String

  private let condition = NSCondition()
  private var medium: BusMedium
  private var master: PseudoTerminal?
  private var slave: PseudoTerminal?
  private var isStopping = false
  /// The thread uses the terminals without the lock.
  private var isWaiting = false
  /// How often it has begun to.
  private var waits = 0
  private var isRunning = true
  /// What is written into the one ends the thread's wait on the other.
  private let wake: (reader: CInt, writer: CInt)

  /// Makes both ports.
  ///
  /// - Throws: ``SensorError``.
  public init(link: String, slaveLink: String, _ options: Options) throws(SensorError) {
    self.options = options
    self.link = link
    self.slaveLink = slaveLink
    medium = BusMedium(options)
    master = try PseudoTerminal(link: link)
    slave = try PseudoTerminal(link: slaveLink)
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { throw SensorError("pipe") }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    wake = (ends[0], ends[1])
    let thread = Thread { [self] in run() }
    thread.stackSize = 256 * 1024
    thread.start()
  }

  deinit {
    close(wake.reader)
    close(wake.writer)
  }

  public var counts: Counts { condition.withLock { medium.counts } }
  /// What was sent, in order; the first 100,000. Empty unless `options.keepsPassages`.
  public var passages: [Passage] { condition.withLock { medium.passages } }
  public var isPlugged: Bool { condition.withLock { master != nil } }

  /// The master's adapter is pulled: its port hangs up and its link goes. The slaves stay.
  public func cut() {
    condition.withLock {
      // It goes at the end of this, with its link, so that another can be plugged in at once.
      let gone = master
      master = nil
      medium.cutMaster()
      nudge()
      let wait = waits
      while isWaiting, waits == wait { condition.wait() }
      withExtendedLifetime(gone) {}
    }
  }

  /// The adapter is back, under the same link.
  ///
  /// - Throws: ``SensorError``.
  public func plug() throws(SensorError) {
    let fresh = try PseudoTerminal(link: link)
    condition.withLock { master = fresh }
    nudge()
  }

  /// Ends the thread and removes both ports. Needed: a running bus keeps itself alive.
  public func stop() {
    condition.withLock {
      isStopping = true
      nudge()
      while isRunning { condition.wait() }
    }
  }

  private func nudge() {
    // Full is as good: the thread is going to wake.
    _ = write(wake.writer, "x", 1)
  }

  // MARK: The thread

  private func run() {
    bg_name_thread("bus")
    condition.lock()
    while !isStopping {
      waitForSomething()
      carry()
    }
    master = nil
    slave = nil
    isRunning = false
    condition.broadcast()
    condition.unlock()
  }

  /// Entered and left with the lock.
  private func waitForSomething() {
    let (descriptors, due) = ([wake.reader, master?.master ?? -1, slave?.master ?? -1], medium.due)
    isWaiting = true
    waits += 1
    condition.unlock()
    let now = MonotonicClock.now
    let rest = due.map { $0 > now ? Int64(clamping: $0 - now) : 0 } ?? -1
    bg_wait_readable(descriptors, UInt32(descriptors.count), rest)
    condition.lock()
    isWaiting = false
    condition.broadcast()
  }

  /// Takes what the ends send, and hands over what has arrived.
  private func carry() {
    _ = Self.take(from: wake.reader)
    for (end, terminal) in [(End.master, master), (.slave, slave)] {
      if let terminal { medium.send(Self.take(from: terminal.master), from: end, at: MonotonicClock.now) }
    }
    let now = MonotonicClock.now
    while let due = medium.due, due <= now {
      let (forMaster, forSlave) = medium.take(at: now)
      medium.lose(Self.give(forMaster, to: master) + Self.give(forSlave, to: slave))
    }
  }

  private static func take(from descriptor: CInt) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      guard count > 0 else { return bytes }
      bytes += chunk.prefix(count)
    }
  }

  /// - Returns: How many bytes were not taken. A line waits for nobody.
  private static func give(_ bytes: [UInt8], to terminal: PseudoTerminal?) -> Int {
    guard !bytes.isEmpty else { return 0 }
    guard let terminal else { return bytes.count }
    return bytes.count - max(0, write(terminal.master, bytes, bytes.count))
  }
}
