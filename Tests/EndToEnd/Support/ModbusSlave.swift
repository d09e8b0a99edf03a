import Foundation

/// Modbus slaves of other people's making: Tests/Support/modbus_slave.py, whose head lists the data each unit has.
final class ModbusSlave: @unchecked Sendable {
  // @unchecked: each test drives its own, one step after the other.

  /// How its frames look.
  enum Framing: String, Sendable, CaseIterable { case rtu, ascii, socket }

  /// Where it is reached: the slaves' end of a line, or a port of 127.0.0.1 that it chooses itself.
  enum Place: Sendable {
    case line(String)
    case tcp
  }

  /// Whether tests that need it run. They fail, rather than stay out, where it merely is not installed.
  static var isWanted: Bool { ProcessInfo.processInfo.environment["BAUDGATE_OFFLINE"] == nil }

  /// The version that scripts/setup installs.
  static let version = "3.8.6"

  /// The port of 127.0.0.1; `nil` on a line.
  private(set) var port: UInt16?
  private var pid: pid_t = 0
  private var input: CInt = -1
  private var output: CInt = -1
  private var unread = Data()

  /// Starts it and waits until it listens.
  ///
  /// - Parameters:
  ///   - units: Those that answer.
  ///   - delay: Milliseconds each takes for an answer.
  init(
    _ place: Place, baud: Int = 19_200, framing: Framing = .rtu, units: [Int] = [1, 2, 3, 4, 5], delay: Int = 0
  ) throws {
    let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Support/modbus_slave.py").path
    var arguments = [try Self.python(), source, "--framing", framing.rawValue, "--delay", "\(delay)"]
    arguments += ["--units", units.map(String.init).joined(separator: ",")]
    switch place {
    case .line(let path): arguments += ["--port", path, "--baud", "\(baud)"]
    case .tcp: arguments += ["--tcp"]
    }
    try spawn(arguments)
    port = nil
    let words = try line().split(separator: " ")
    guard words.first == "READY" else { throw DaemonProcess.Failure("the Modbus slave says \(words), not READY") }
    if words.count > 1 { port = UInt16(words[1]) }
  }

  deinit { stop() }

  /// Ends it; it has nothing to lose.
  func stop() {
    guard pid > 0 else { return }
    kill(pid, SIGKILL)
    while waitpid(pid, nil, 0) < 0 && errno == EINTR {}
    pid = 0
    close(input)
    close(output)
  }

  /// It answers for this unit no more, as if it were dead.
  func mute(_ unit: Int) throws { try tell("mute \(unit)") }
  func unmute(_ unit: Int) throws { try tell("unmute \(unit)") }

  enum Table: String, Sendable { case holding, input, coil, discrete }

  /// What the unit holds, without a word on the line.
  func values(of unit: Int, _ table: Table, from address: Int, count: Int = 1) throws -> [Int] {
    let answer = try ask("get \(unit) \(table.rawValue) \(address) \(count)")
    // Bits are written as true and false.
    let numbers = answer.replacingOccurrences(of: "true", with: "1").replacingOccurrences(of: "false", with: "0")
    return try JSONDecoder().decode([Int].self, from: Data(numbers.utf8))
  }

  func set(_ unit: Int, _ table: Table, at address: Int, to values: [Int]) throws {
    try tell("set \(unit) \(table.rawValue) \(address) \(values.map(String.init).joined(separator: " "))")
  }

  /// How many requests each unit has had.
  func requests() throws -> [Int: Int] {
    let counts = try JSONDecoder().decode([String: Int].self, from: Data(try ask("requests").utf8))
    return Dictionary(uniqueKeysWithValues: counts.compactMap { name, count in Int(name).map { ($0, count) } })
  }

  /// With pipes as standard input and output; no other child of the tests gets their ends.
  private func spawn(_ arguments: [String]) throws {
    var (commands, answers): ([CInt], [CInt]) = ([-1, -1], [-1, -1])
    guard pipe(&commands) == 0, pipe(&answers) == 0 else {
      throw DaemonProcess.Failure("pipe: \(String(cString: strerror(errno)))")
    }
    (input, output) = (commands[1], answers[0])
    defer {
      close(commands[0])
      close(answers[1])
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, commands[0], 0)
    posix_spawn_file_actions_adddup2(&actions, answers[1], 1)
    // As in DaemonProcess: a line whose master a child holds does not hang up.
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
      if let descriptor = CInt(name), descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }
    var argv = arguments.map { strdup($0) } + [nil]
    var envp: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/bin:/bin"), nil]
    defer {
      for pointer in argv { free(pointer) }
      for pointer in envp { free(pointer) }
    }
    let failure = posix_spawn(&pid, arguments[0], &actions, nil, &argv, &envp)
    guard failure == 0 else {
      pid = 0
      throw DaemonProcess.Failure("cannot start \(arguments[0]): \(String(cString: strerror(failure)))")
    }
  }

  private func tell(_ command: String) throws {
    let answer = try ask(command)
    guard answer == "ok" else { throw DaemonProcess.Failure("the Modbus slave answers \(answer) to \(command)") }
  }

  private func ask(_ command: String) throws -> String {
    let bytes = Array("\(command)\n".utf8)
    // Fits into a pipe's buffer, whole.
    guard write(input, bytes, bytes.count) == bytes.count else {
      throw DaemonProcess.Failure("the Modbus slave takes no commands: \(String(cString: strerror(errno)))")
    }
    return try line()
  }

  /// Its next line; fails after 30 s without one.
  private func line() throws -> String {
    while true {
      if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: unread[..<end], as: UTF8.self)
        unread = Data(unread[unread.index(after: end)...])
        return line
      }
      var entry = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      guard poll(&entry, 1, 30_000) > 0 else { throw DaemonProcess.Failure("the Modbus slave says nothing") }
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = read(output, &chunk, chunk.count)
      guard count > 0 else { throw DaemonProcess.Failure("the Modbus slave has ended; it says why above") }
      unread += chunk.prefix(count)
    }
  }

  /// The interpreter that has pymodbus; as scripts/setup finds its place.
  private static func python() throws -> String {
    let environment = ProcessInfo.processInfo.environment
    let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "/root"
    let caches = environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "\(home)/.cache"
    let cache = environment["BAUDGATE_CACHE"].flatMap { $0.isEmpty ? nil : $0 } ?? "\(caches)/baudgate"
    let directory = "\(cache)/pymodbus-\(version)"
    guard FileManager.default.fileExists(atPath: "\(directory)/complete") else {
      throw DaemonProcess.Failure(
        "\(directory) is missing: scripts/setup installs pymodbus there; without a network set BAUDGATE_OFFLINE=1, and "
          + "the tests that need it stay out")
    }
    return "\(directory)/bin/python"
  }
}
