internal import CKernel
internal import EventLoop
internal import Glibc

/// A command of the configuration, without a shell: forked, written down, then let go.
///
/// It has a session of its own, so that it outlives whoever stops the installer's terminal and can be ended with all it
/// started. What it leaves running behind itself, such as a daemon without a service manager, goes on.
///
/// Source: fork(2), setsid(2), pidfd_open(2).
struct GatedCommand: ~Copyable {
  /// Between SIGTERM and SIGKILL: a package manager puts its database in order first.
  static let grace: Int64 = 10_000
  /// After SIGKILL: a process stuck in a driver is left to its fate.
  static let patience: Int64 = 5_000
  /// Bytes of output that are passed on to the log.
  static let echoLimit = 1 << 20
  private static let lookInterval: Int64 = 200

  enum End: Sendable, Equatable {
    case exited(Int32)
    case signalled(Int32)
    case timedOut
    case notExecuted(SystemError)
    /// Somebody else has waited for it.
    case lost
  }

  private var child: bg_gated
  private let name: String

  /// Forks the child, which waits. Where the installer dies before `run` nothing was begun.
  init(_ arguments: [String], environment: [String]) throws(SystemError) {
    guard let name = arguments.first else { throw SystemError("execve", errno: EINVAL) }
    var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
    defer {
      for text in argv { free(text) }
      for text in envp { free(text) }
    }
    var child = bg_gated(process: 0, output: -1, gate: -1, failure: -1)
    let error = bg_gated_fork(&argv, &envp, &child)
    guard error == 0 else { throw SystemError("fork for \(name)", errno: error) }
    self.child = child
    self.name = name
  }

  deinit {
    var child = child
    let isWaiting = child.gate >= 0
    bg_gated_close(&child)
    // One still at the gate ends at once; any other has been waited for.
    if isWaiting { waitpid(child.process, nil, 0) }
  }

  /// What is to be written down before `run`.
  func record(in boot: String) -> InstallRecord.RunningCommand {
    .init(process: child.process, start: InstallRecord.RunningCommand.start(of: child.process) ?? 0, boot: boot)
  }

  /// Opens the gate and waits for the end.
  ///
  /// - Parameters:
  ///   - limit: Milliseconds it may take; then it is asked to end, and ended.
  ///   - echo: Takes what it prints, `echoLimit` bytes at most.
  /// - Returns: How it ended, and the end of what it printed.
  mutating func run(limit: Int64, echo: (ArraySlice<UInt8>) -> Void) -> (end: End, output: String) {
    let error = bg_gate_open(&child)
    if error != 0 {
      waitpid(child.process, nil, 0)
      return (.notExecuted(SystemError("execute \(name)", errno: error)), "")
    }
    let descriptor = bg_pidfd_open(child.process)
    defer { if descriptor >= 0 { close(descriptor) } }
    var output = Output()
    var deadline = Self.now + limit
    var signals = [(SIGTERM, Self.grace), (SIGKILL, Self.patience)][...]
    var isLate = false
    var status: CInt = 0
    while true {
      waitForNews(descriptor, isOutputOpen: output.isOpen, until: deadline)
      output.read(child.output, echo)
      let ended = waitpid(child.process, &status, WNOHANG)
      if ended == child.process { break }
      if ended < 0, errno == ECHILD { return (.lost, output.tail.text) }
      guard Self.now >= deadline else { continue }
      isLate = true
      guard let (signal, time) = signals.popFirst() else { return (.timedOut, output.tail.text) }
      kill(-child.process, signal)
      deadline = Self.now + time
    }
    // The rest of the group; the number is still the group's while a member lives, and else nobody's for long.
    if isLate { kill(-child.process, SIGKILL) }
    output.read(child.output, echo)
    if isLate { return (.timedOut, output.tail.text) }
    if status & 0x7F != 0 { return (.signalled(status & 0x7F), output.tail.text) }
    return (.exited(status >> 8 & 0xFF), output.tail.text)
  }

  private func waitForNews(_ descriptor: CInt, isOutputOpen: Bool, until deadline: Int64) {
    let remaining = max(0, deadline - Self.now)
    let limit = descriptor >= 0 ? remaining : min(remaining, Self.lookInterval)
    var entries = [
      pollfd(fd: isOutputOpen ? child.output : -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
    ]
    poll(&entries, 2, CInt(clamping: limit))
  }

  private static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}

/// What has come through the pipe so far.
private struct Output {
  /// Bytes read between two looks at the clock: a flood must not keep the time limit from being seen.
  private static let readLimit = 1 << 20

  var tail = OutputTail()
  var isOpen = true
  private var echoed = 0

  mutating func read(_ descriptor: CInt, _ echo: (ArraySlice<UInt8>) -> Void) {
    var chunk = [UInt8](repeating: 0, count: 16_384)
    var total = 0
    while isOpen, total < Self.readLimit {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0 {
        if errno == EINTR { continue }
        if errno != EAGAIN { isOpen = false }
        return
      }
      guard count > 0 else {
        isOpen = false
        return
      }
      total += count
      tail.append(chunk[..<count])
      let room = GatedCommand.echoLimit - echoed
      if room > 0 { echo(chunk[..<min(count, room)]) }
      echoed += min(count, max(0, room))
    }
  }
}
