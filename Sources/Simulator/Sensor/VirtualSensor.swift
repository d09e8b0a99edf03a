internal import CKernel
internal import Foundation

/// A sensor on a virtual serial line: it sends lines of text through a pty, paced as a real line paces them.
///
/// A thread of its own writes each packet at its time on the monotonic clock. Nothing is lost when the reader is slow: the
/// line waits, and goes on at its pace. All members may be called from any thread but the generator's.
public final class VirtualSensor: @unchecked Sendable {
  // @unchecked: all state is guarded by `mutex`; the pointers never change.

  /// Makes the text of a line, its end included, from the line's number, counted from 0; `nil` is the end of all lines.
  public typealias Generator = @Sendable (_ number: Int) -> String?

  /// The symbolic link that the daemon opens.
  public let link: String
  public let timing: WireTiming
  /// The most lines a second; 0 is what the wire carries.
  public let rate: Double

  private let generator: Generator
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  private var terminal: PseudoTerminal?
  private var transmission: Transmission
  private var extra: [[UInt8]] = []
  private var isSending = false
  private var hasEnded = false
  private var isStopping = false
  /// The thread is at work without the mutex.
  private var isBusy = false
  private var isThreadRunning = false
  private var nextDue: UInt64 = 0
  private var nextNumber = 0
  private var sent = 0
  private var bytes = 0
  private var abandonedNumbers: [Int] = []

  /// Numbers of cut-off lines that are kept.
  private static let abandonedLimit = 1000
  /// Texts that wait beside the lines.
  private static let extraLimit = 1000
  /// A packet later than this was held up by its reader: the rest moves with it. Nanoseconds.
  private static let toleratedLateness: UInt64 = 50_000_000

  /// Makes the pty and starts the thread; nothing is sent before ``resume()``.
  ///
  /// - Throws: ``SensorError``.
  public init(link: String, timing: WireTiming, rate: Double, generator: @escaping Generator) throws(SensorError) {
    self.link = link
    self.timing = timing
    self.rate = rate
    self.generator = generator
    transmission = Transmission(timing)
    terminal = try PseudoTerminal(link: link)
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
    isThreadRunning = true
    let thread = Thread { [self] in run() }
    thread.stackSize = 256 * 1024
    thread.start()
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  // MARK: For everybody

  /// Lines whose last byte is in the kernel.
  public var linesSent: Int { locked { sent } }
  /// Bytes in the kernel.
  public var bytesSent: Int { locked { bytes } }
  /// Numbers of lines that ``unplug()`` or ``stop()`` cut off, the first thousand; they never count as sent.
  public var abandoned: [Int] { locked { abandonedNumbers } }
  /// Whether the generator has no more lines and all are sent.
  public var isFinished: Bool { locked { hasEnded && isIdle } }
  public var isPlugged: Bool { locked { terminal != nil } }
  /// Bytes in the kernel that nobody has read.
  public var unread: Int { locked { terminal?.unread ?? 0 } }

  /// Begins to send lines, or goes on.
  public func resume() {
    locked {
      isSending = true
      nextDue = max(nextDue, Self.now)
      pthread_cond_broadcast(condition)
    }
  }

  /// Sends no new line, and returns when what was begun is written (or the line is unplugged).
  public func pause() {
    locked {
      isSending = false
      while !(isIdle && extra.isEmpty) && terminal != nil && isThreadRunning { pthread_cond_wait(condition, mutex) }
    }
  }

  /// Sends text between two lines, not counted; an empty line ends what a daemon must drop after opening the port.
  public func send(_ text: String) {
    locked {
      guard extra.count < Self.extraLimit else { return }
      extra.append(Array(text.utf8))
      pthread_cond_broadcast(condition)
    }
  }

  /// Both ends of the line go, and the link. A line under way is cut off.
  public func unplug() {
    locked {
      let gone = terminal
      terminal = nil
      pthread_cond_broadcast(condition)
      while isBusy { pthread_cond_wait(condition, mutex) }
      abandon()
      withExtendedLifetime(gone) {}
    }
  }

  /// A new line under the same link.
  ///
  /// - Throws: ``SensorError``.
  public func plug() throws(SensorError) {
    let fresh = try PseudoTerminal(link: link)
    locked {
      terminal = fresh
      nextDue = max(nextDue, Self.now)
      pthread_cond_broadcast(condition)
    }
  }

  /// Ends the thread and removes the line. Needed: a running sensor keeps itself alive.
  public func stop() {
    locked {
      isStopping = true
      pthread_cond_broadcast(condition)
      while isThreadRunning { pthread_cond_wait(condition, mutex) }
      terminal = nil
    }
  }

  // MARK: The thread

  private var isIdle: Bool { transmission.needsItem && !transmission.hasPacket && !isBusy }

  private func run() {
    bg_name_thread("sensor")
    locked {
      while !isStopping {
        guard terminal != nil else {
          pthread_cond_wait(condition, mutex)
          continue
        }
        step()
      }
      abandon()
      isThreadRunning = false
      pthread_cond_broadcast(condition)
    }
  }

  /// Goes one step on, or waits for the next one's time.
  private func step() {
    if transmission.needsItem, let start = nextStart, transmission.isJoined(by: start) {
      // An item that does not join a packet begins at its time, so that its reading is of that time.
      if transmission.hasPacket || start <= Self.now { return begin(at: start) }
      return wait(until: start)
    }
    if !transmission.needsItem, !transmission.fill() { return }
    guard transmission.hasPacket else {
      pthread_cond_broadcast(condition)
      pthread_cond_wait(condition, mutex)
      return
    }
    deliver(transmission.takePacket())
  }

  /// When the next text can begin; `nil` when there is none.
  private var nextStart: UInt64? {
    if !extra.isEmpty { return max(transmission.wireFree, Self.now) }
    return isSending && !hasEnded ? max(transmission.wireFree, nextDue) : nil
  }

  private func begin(at start: UInt64) {
    if !extra.isEmpty {
      transmission.begin(.init(bytes: extra.removeFirst(), number: nil), at: start)
      return
    }
    let number = nextNumber
    isBusy = true
    pthread_mutex_unlock(mutex)
    let line = generator(number)
    pthread_mutex_lock(mutex)
    isBusy = false
    pthread_cond_broadcast(condition)
    guard let line else {
      hasEnded = true
      return
    }
    nextNumber += 1
    nextDue = max(nextDue, start) + (rate > 0 ? UInt64(1_000_000_000 / rate) : 0)
    transmission.begin(.init(bytes: Array(line.utf8), number: number), at: start)
    // Unplugged meanwhile.
    if terminal == nil { abandon() }
  }

  private func deliver(_ packet: Transmission.Packet) {
    isBusy = true
    while Self.now < packet.due, !isStopping, terminal != nil { wait(until: packet.due) }
    var written = 0
    while written < packet.bytes.count, !isStopping, let terminal {
      pthread_mutex_unlock(mutex)
      written += Self.write(packet.bytes[written...], to: terminal.master)
      pthread_mutex_lock(mutex)
    }
    bytes += written
    for end in packet.ends {
      if end.offset <= written { sent += 1 } else { noteAbandoned([end.number]) }
    }
    let now = Self.now
    if now > packet.due + Self.toleratedLateness {
      transmission.delay(by: now - packet.due)
      nextDue += now - packet.due
    }
    isBusy = false
    pthread_cond_broadcast(condition)
  }

  /// - Returns: The count of bytes written; 0 after some waiting for room.
  private static func write(_ bytes: ArraySlice<UInt8>, to master: CInt) -> Int {
    let count = bytes.withUnsafeBytes { Foundation.write(master, $0.baseAddress, $0.count) }
    if count > 0 { return count }
    // Short, since an unplugged or stopped line is noticed only between waits.
    var descriptor = pollfd(fd: master, events: Int16(POLLOUT), revents: 0)
    poll(&descriptor, 1, 20)
    return 0
  }

  private func abandon() { noteAbandoned(transmission.abandon()) }

  private func noteAbandoned(_ numbers: [Int]) {
    abandonedNumbers += numbers.prefix(max(0, Self.abandonedLimit - abandonedNumbers.count))
  }

  private func wait(until time: UInt64) {
    var deadline = timespec(tv_sec: Int(time / 1_000_000_000), tv_nsec: Int(time % 1_000_000_000))
    pthread_cond_timedwait(condition, mutex, &deadline)
  }

  private func locked<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Nanoseconds of `CLOCK_MONOTONIC`.
  private static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
