import Foundation

/// The release binary as a service manager would run it: its own process, `NOTIFY_SOCKET`, a state and a runtime
/// directory, stderr in a file.
final class DaemonProcess: @unchecked Sendable {
  // @unchecked: each test drives its own, one step after the other.
  /// `BAUDGATE_BIN` or the release build of this checkout.
  static let directory: String =
    ProcessInfo.processInfo.environment["BAUDGATE_BIN"]
    ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(".build/release").path

  static var binary: String { "\(directory)/baudgated" }

  private let scratch: Scratch
  /// Beside what every life gets.
  var environment: [String: String]
  /// A program that becomes the daemon in the end, such as a shell that gives it its surroundings: its words come first.
  var wrapper: [String] = []
  private let configuration: String
  private(set) var pid: pid_t = 0
  private var notify: CInt = -1
  private var starts = 0

  init(in scratch: Scratch, configuration: String = "baudgate.yaml", environment: [String: String] = [:]) {
    self.scratch = scratch
    self.configuration = configuration
    self.environment = environment
  }

  deinit { kill() }

  /// The log of all lives so far.
  var log: String { scratch.read("log") }

  /// Starts it and waits for `READY=1`.
  func start() throws {
    try launch()
    guard waitFor("READY=1") else { throw Failure("no READY=1 within 20 s; the log:\n\(log)") }
  }

  /// Starts it without waiting.
  func launch() throws {
    guard FileManager.default.isExecutableFile(atPath: Self.binary) else {
      throw Failure("\(Self.binary) is missing: `make test` builds it first, as `make build` does")
    }
    starts += 1
    try listen()
    var environment = environment
    environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    environment["NOTIFY_SOCKET"] = scratch.file("notify")
    environment["RUNTIME_DIRECTORY"] = scratch.file("run")
    environment["BAUDGATE_FAULT_DIRECTORY"] = scratch.file("faults")
    pid = try Self.spawn(
      wrapper + [Self.binary, scratch.file(configuration)], environment: environment, stderr: scratch.file("log"))
  }

  /// `kill -9`, and waits for the end.
  func kill() {
    guard pid > 0 else { return }
    Glibc.kill(pid, SIGKILL)
    _ = wait()
  }

  func signal(_ number: CInt) { if pid > 0 { Glibc.kill(pid, number) } }

  /// SIGTERM; returns the exit status, 128 + N after signal N.
  @discardableResult
  func terminate() -> CInt {
    signal(SIGTERM)
    return wait()
  }

  func wait() -> CInt {
    guard pid > 0 else { return -1 }
    var status: CInt = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    pid = 0
    if notify >= 0 { close(notify) }
    notify = -1
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
  }

  var isRunning: Bool {
    guard pid > 0 else { return false }
    var status: CInt = 0
    return waitpid(pid, &status, WNOHANG) == 0
  }

  /// Waits for a datagram that holds `text`.
  func waitFor(_ text: String, within seconds: Int = 20) -> Bool {
    let end = Date().addingTimeInterval(TimeInterval(seconds))
    var buffer = [UInt8](repeating: 0, count: 4096)
    while Date() < end {
      var descriptor = pollfd(fd: notify, events: Int16(POLLIN), revents: 0)
      guard poll(&descriptor, 1, 100) > 0 else {
        if !isRunning { return false }
        continue
      }
      let count = recv(notify, &buffer, buffer.count, 0)
      if count > 0, String(decoding: buffer.prefix(count), as: UTF8.self).contains(text) { return true }
    }
    return false
  }

  /// Reads what has been notified, as a service manager does: the socket holds only some ten datagrams, and the watchdog's
  /// pings wait for room.
  func takeNotifications() {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while recv(notify, &buffer, buffer.count, CInt(MSG_DONTWAIT)) > 0 {}
  }

  /// `baudgate status --json` over the command line, parsed.
  func status() throws -> [String: Any] {
    let output = try Self.run(
      ["\(Self.directory)/baudgate", "status", "--json", "--config", scratch.file(configuration)],
      environment: ["RUNTIME_DIRECTORY": scratch.file("run"), "PATH": "/usr/bin:/bin"])
    guard output.status == 0,
      let document = try JSONSerialization.jsonObject(with: Data(output.output.utf8)) as? [String: Any]
    else { throw Failure("status failed (\(output.status)): \(output.output)\(output.errors)") }
    return document
  }

  /// A number in /proc/PID/status, such as `VmHWM` in KiB or `Threads`.
  func procStatus(_ field: String) -> Int? {
    let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").first { $0.hasPrefix("\(field):") }
      .flatMap { $0.split(whereSeparator: \.isWhitespace).dropFirst().first }.flatMap { Int($0) }
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
  }

  // MARK: Processes

  /// Runs a program to its end.
  static func run(
    _ arguments: [String], environment: [String: String] = ["PATH": "/usr/bin:/bin"]
  ) throws -> (status: CInt, output: String, errors: String) {
    let scratch = try Scratch()
    let pid = try spawn(
      arguments, environment: environment, stdout: scratch.file("out"), stderr: scratch.file("err"))
    var status: CInt = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    let code = status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    return (code, scratch.read("out"), scratch.read("err"))
  }

  /// Starts a program; the caller ends and awaits it.
  static func launch(
    _ arguments: [String], environment: [String: String] = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], output: String
  ) throws -> pid_t {
    try spawn(arguments, environment: environment, stdout: output, stderr: output)
  }

  private static func spawn(
    _ arguments: [String], environment: [String: String], stdout: String = "/dev/null", stderr: String
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, stdout, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, stderr, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    // A line whose master a child holds does not hang up, and a server's port stays taken.
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
      if let descriptor = CInt(name), descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }
    var argv = arguments.map { strdup($0) } + [nil]
    var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer {
      for pointer in argv { free(pointer) }
      for pointer in envp { free(pointer) }
    }
    var pid: pid_t = 0
    let failure = posix_spawn(&pid, arguments[0], &actions, nil, &argv, &envp)
    guard failure == 0 else { throw Failure("cannot start \(arguments[0]): \(String(cString: strerror(failure)))") }
    return pid
  }

  private func listen() throws {
    let path = scratch.file("notify")
    unlink(path)
    notify = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(notify, $0, length) }
    }
    guard result == 0 else { throw Failure("cannot bind \(path): \(String(cString: strerror(errno)))") }
  }
}
