internal import CKernel
internal import EventLoop
internal import Glibc

/// A configured program, started without a shell, waited for, and ended when its time is up.
///
/// It gets a process group of its own, /dev/null as its input, no descriptor but the three, no signal blocked or
/// ignored, `/` as its directory, and an environment that holds nothing of ours (`CREDENTIALS_DIRECTORY`,
/// `NOTIFY_SOCKET`). Where the kernel is to spare the daemon when memory runs out, it is not to spare the program. What it
/// starts in the background and leaves behind goes on until the service ends.
///
/// Source: posix_spawn(3), pidfd_open(2), setpgid(2), proc_pid_oom_score_adj(5).
struct Program: Sendable {
  /// Bytes of its output that are kept, the first ones; what comes behind them is read and dropped.
  static let outputLimit = 8 << 10
  /// Between SIGTERM and SIGKILL.
  static let grace = Duration.seconds(2)
  /// After SIGKILL: a process stuck in a driver is left to its fate.
  static let patience = Duration.seconds(5)
  /// How often a process is looked after where the kernel has no pidfd (before Linux 5.3).
  private static let lookInterval = Duration.milliseconds(50)

  static let environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]

  struct Outcome: Sendable, Equatable {
    /// Its exit status; 128 and the signal where one ended it.
    var exit: CInt
    var signal: CInt?
    /// stdout and stderr as they came.
    var output: [UInt8]
    /// Whether there was more.
    var isCut: Bool
  }

  enum Failure: Error, Sendable, Equatable {
    case cannotStart(SystemError)
    /// It was ended.
    case timedOut
    /// It was ended, as the daemon is.
    case cancelled
  }

  private let arguments: [String]
  private let limit: Duration
  private let isSpared: Bool
  /// Becomes readable when the caller is cancelled.
  private let cancellation: Descriptor

  /// - Parameters:
  ///   - arguments: The program's absolute path and its arguments.
  ///   - limit: How long it may run.
  ///   - isSpared: Whether it would inherit that the kernel spares it when memory runs out.
  /// - Throws: `SystemError` where the process is short of descriptors, or there is no program.
  init(_ arguments: [String], limit: Duration, isSpared: Bool = Self.isDaemonSpared) throws(SystemError) {
    self.isSpared = isSpared
    if arguments.isEmpty { throw SystemError("posix_spawn", errno: EINVAL) }
    self.arguments = arguments
    self.limit = limit
    let event = bg_eventfd()
    guard event >= 0 else { throw SystemError("eventfd") }
    cancellation = Descriptor(event)
  }

  /// Runs it to its end on a thread of `pool`. Cancelling the caller ends it.
  func run(on pool: BlockingPool) async throws(Failure) -> Outcome {
    let result = await withTaskCancellationHandler {
      await pool.run { () -> Result<Outcome, Failure> in
        Result { () throws(Failure) in try run() }
      }
    } onCancel: {
      bg_eventfd_signal(cancellation.number)
    }
    return try result.get()
  }

  // MARK: On the pool's thread

  private func run() throws(Failure) -> Outcome {
    // It may have waited for its turn longer than the daemon has to live.
    var early = pollfd(fd: cancellation.number, events: Int16(POLLIN), revents: 0)
    if poll(&early, 1, 0) > 0 { throw .cancelled }
    let child: Child
    do throws(SystemError) { child = try spawn() } catch { throw .cannotStart(error) }
    var output = Output(limit: Self.outputLimit)
    var ending: Failure?
    var deadline = Uptime.monotonic + limit
    var signals = [SIGTERM, SIGKILL][...]
    while true {
      let events = wait(for: child, isOutputOpen: output.isOpen, heedsCancellation: ending == nil, until: deadline)
      if events.hasOutput { output.read(child.output.number) }
      if events.hasEnded || !child.isRunning { break }
      if events.isCancelled, ending == nil {
        ending = .cancelled
        deadline = .zero
      }
      guard Uptime.monotonic >= deadline else { continue }
      ending = ending ?? .timedOut
      guard let signal = signals.popFirst() else { throw ending ?? .timedOut }
      kill(-child.process, signal)
      deadline = Uptime.monotonic + (signal == SIGTERM ? Self.grace : Self.patience)
    }
    if ending != nil {
      // The rest of the group, while the zombie still keeps its number.
      kill(-child.process, SIGKILL)
    }
    output.drain(child.output.number)
    let outcome = child.reap(output)
    if let ending { throw ending }
    return outcome
  }

  private struct Events {
    var hasOutput = false
    var hasEnded = false
    var isCancelled = false
  }

  private func wait(
    for child: Child, isOutputOpen: Bool, heedsCancellation: Bool, until deadline: Duration
  ) -> Events {
    // A negative descriptor is passed over, poll(2).
    var polled = [
      pollfd(fd: isOutputOpen ? child.output.number : -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: child.handle?.number ?? -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: heedsCancellation ? cancellation.number : -1, events: Int16(POLLIN), revents: 0),
    ]
    var time = max(.zero, deadline - Uptime.monotonic)
    if child.handle == nil { time = min(time, Self.lookInterval) }
    // One more, since whole milliseconds are rounded down; bounded for the C type.
    let milliseconds = CInt(min(time.wholeMilliseconds + 1, 1_000_000_000))
    guard poll(&polled, nfds_t(polled.count), milliseconds) > 0 else { return Events() }
    return Events(
      hasOutput: polled[0].revents != 0, hasEnded: polled[1].revents != 0, isCancelled: polled[2].revents != 0)
  }

  private struct Child {
    let process: pid_t
    /// Readable when it has ended; `nil` where the kernel has none.
    let handle: Descriptor?
    let output: Descriptor

    /// Asks the kernel, without taking its exit status away.
    var isRunning: Bool {
      if handle != nil { return true }
      var information = siginfo_t()
      let result = waitid(P_PID, id_t(process), &information, CInt(WEXITED | WNOHANG | WNOWAIT))
      return result == 0 && information.si_signo == 0
    }

    func reap(_ output: Output) -> Outcome {
      var status: CInt = 0
      while waitpid(process, &status, 0) < 0 && errno == EINTR {}
      // wait(2): the low seven bits are the signal, the next byte the exit status.
      let signal = status & 0x7F
      return Outcome(
        exit: signal == 0 ? (status >> 8) & 0xFF : 128 + signal, signal: signal == 0 ? nil : signal,
        output: output.bytes, isCut: output.isCut)
    }
  }

  private func spawn() throws(SystemError) -> Child {
    var process: pid_t = 0
    var output: CInt = -1
    let failure = withCStrings(arguments) { arguments in
      withCStrings(Self.environment) { environment in bg_spawn(arguments, environment, &process, &output) }
    }
    guard failure == 0 else { throw SystemError(arguments.first ?? "posix_spawn", errno: failure) }
    if isSpared { Self.unspare(process) }
    let handle = bg_pidfd_open(process)
    return Child(process: process, handle: handle < 0 ? nil : Descriptor(handle), output: Descriptor(output))
  }
}

extension Program {
  /// Whether the unit's `OOMScoreAdjust` has the kernel spare this process, which its children inherit.
  static let isDaemonSpared: Bool = {
    var first: UInt8 = 0
    let file = bg_open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { return false }
    defer { close(file) }
    return read(file, &first, 1) == 1 && first == UInt8(ascii: "-")
  }()

  /// Takes that back: a program that eats all memory goes before everybody else does.
  private static func unspare(_ process: pid_t) {
    let file = bg_open("/proc/\(process)/oom_score_adj", O_WRONLY | O_CLOEXEC, 0)
    guard file >= 0 else { return }
    _ = Glibc.write(file, "0", 1)
    close(file)
  }
}

/// The first bytes a program has written.
private struct Output {
  private(set) var bytes: [UInt8] = []
  private(set) var isCut = false
  private(set) var isOpen = true
  private let limit: Int
  private var chunk = [UInt8](repeating: 0, count: 4096)

  init(limit: Int) { self.limit = limit }

  /// Reads once.
  ///
  /// - Returns: Whether there was anything.
  @discardableResult
  mutating func read(_ descriptor: CInt) -> Bool {
    let count = Glibc.read(descriptor, &chunk, chunk.count)
    if count == 0 || count < 0 && errno != EAGAIN && errno != EINTR { isOpen = false }
    guard count > 0 else { return false }
    let room = limit - bytes.count
    bytes += chunk[..<min(count, room)]
    if count > room { isCut = true }
    return true
  }

  /// Reads what is left once the program has ended; bounded, since others may hold the pipe and write on.
  mutating func drain(_ descriptor: CInt) {
    var rounds = 64
    while isOpen, rounds > 0, read(descriptor) { rounds -= 1 }
  }
}

/// A descriptor that is closed when nobody holds it any more.
private final class Descriptor: Sendable {
  let number: CInt
  init(_ number: CInt) { self.number = number }
  deinit { close(number) }
}

/// Lends the strings as C wants them: an array of pointers with a null at its end.
func withCStrings<Result>(
  _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
  var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
  defer { for pointer in pointers { free(pointer) } }
  return body(&pointers)
}
