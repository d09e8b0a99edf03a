internal import Foundation

/// The real daemon as its own process, started as a service manager would.
final class ChildDaemon {
  private let pid: pid_t
  private let notifySocket: CInt
  private let logPath: String
  private var logOffset: UInt64 = 0
  private var partialLine = ""
  /// Exit status, 128 + N after signal N; `nil` while it runs.
  private(set) var exitStatus: CInt?

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// - Parameters:
  ///   - directory: Gets the log (`daemon.log`) and the socket for `READY=1`; has the runtime directory `run`.
  /// - Throws: `Failure`.
  init(executable: String, configuration: String, directory: String) throws(Failure) {
    logPath = "\(directory)/daemon.log"
    let notifyPath = "\(directory)/notify"
    let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    notifySocket = descriptor
    guard descriptor >= 0, UnixAddress(notifyPath).with({ bind(descriptor, $0, $1) }) == 0 else {
      throw Failure(description: "\(notifyPath): \(String(cString: strerror(errno)))")
    }
    let environment = [
      "NOTIFY_SOCKET=\(notifyPath)", "RUNTIME_DIRECTORY=\(directory)/run", "PATH=/usr/bin:/bin",
    ]
    pid = try Self.spawn([executable, configuration], environment: environment, log: logPath)
  }

  deinit {
    if exitStatus == nil { kill(pid, SIGKILL) }
    close(notifySocket)
  }

  var processID: Int { Int(pid) }

  /// What came over the notification socket since the last call, sd_notify(3); does not wait.
  func notifications() -> [String] {
    var texts: [String] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while texts.count < 100 {
      let count = recv(notifySocket, &buffer, buffer.count, CInt(MSG_DONTWAIT))
      guard count > 0 else { break }
      texts += String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: "\n").map(String.init)
    }
    return texts
  }

  var isRunning: Bool {
    if exitStatus != nil { return false }
    var status: CInt = 0
    if waitpid(pid, &status, WNOHANG) == pid {
      exitStatus = status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }
    return exitStatus == nil
  }

  /// Asks for an orderly stop, and insists after the limit.
  ///
  /// - Returns: Whether it ended by itself.
  func stop(within limit: Duration) async -> Bool {
    guard isRunning else { return true }
    kill(pid, SIGTERM)
    let deadline = ContinuousClock.now + limit
    while isRunning {
      if ContinuousClock.now > deadline {
        kill(pid, SIGKILL)
        var status: CInt = 0
        waitpid(pid, &status, 0)
        exitStatus = 128 + SIGKILL
        return false
      }
      try? await Task.sleep(for: .milliseconds(20))
    }
    return true
  }

  /// The log's new lines.
  func newLogLines() -> [LogLine] {
    guard let file = FileHandle(forReadingAtPath: logPath) else { return [] }
    defer { try? file.close() }
    guard (try? file.seek(toOffset: logOffset)) != nil, let data = try? file.read(upToCount: 1 << 20) else { return [] }
    logOffset += UInt64(data.count)
    var lines = (partialLine + String(decoding: data, as: UTF8.self)).split(
      separator: "\n", omittingEmptySubsequences: false)
    partialLine = lines.popLast().map(String.init) ?? ""
    return lines.filter { !$0.isEmpty }.map { LogLine(String($0)) }
  }

  private static func spawn(
    _ arguments: [String], environment: [String], log: String
  ) throws(Failure) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    // The server's sockets would live on in the daemon, and a cut-off server would not be gone.
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
      if let descriptor = CInt(name), descriptor > STDERR_FILENO { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A group of its own, so that Ctrl-C reaches the demo alone; the signals it ignores are not ignored there.
    var defaults = sigset_t()
    sigemptyset(&defaults)
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { sigaddset(&defaults, signal) }
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF))
    var argv = arguments.map { strdup($0) } + [nil]
    var envp = environment.map { strdup($0) } + [nil]
    defer { for pointer in argv + envp { free(pointer) } }
    var pid: pid_t = 0
    let failure = posix_spawn(&pid, arguments[0], &actions, &attributes, &argv, &envp)
    guard failure == 0 else {
      throw Failure(description: "cannot start \(arguments[0]): \(String(cString: strerror(failure)))")
    }
    return pid
  }
}

/// A line of the daemon's log, `<4>message`, sd-daemon(3).
struct LogLine: Sendable, Equatable {
  /// syslog's, 0 to 7; 6 where the line has none.
  var priority: Int
  var message: String

  init(_ text: String) {
    let bytes = Array(text.utf8)
    if bytes.count >= 3, bytes[0] == UInt8(ascii: "<"), bytes[2] == UInt8(ascii: ">"), (0x30...0x37).contains(bytes[1])
    {
      priority = Int(bytes[1] - 0x30)
      message = String(text.dropFirst(3))
    } else {
      priority = 6
      message = text
    }
  }

  var isWarning: Bool { priority <= 4 }
}
