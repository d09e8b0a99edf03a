internal import CKernel
internal import EventLoop
internal import Glibc
internal import ThingsBoard

/// How the installer learns of a request.
enum InstallerStart: Sendable {
  /// systemd watches for the request and starts the installer as root: `baudgate-install@KIND.path`.
  case unit
  /// The daemon starts it, as nobody's child. May block.
  case direct(@Sendable () throws(SystemError) -> Void)

  /// Which of them it is here: whether systemd manages this process.
  ///
  /// - Parameters:
  ///   - configuration: The file the installer takes its commands from.
  ///   - stateDirectory: Where it finds the request.
  static func here(_ kind: PackageKind, configuration: String, stateDirectory: String) -> InstallerStart {
    if getenv("INVOCATION_ID") != nil, access("/run/systemd/system", F_OK) == 0 { return .unit }
    return .direct { () throws(SystemError) in
      try start(kind, configuration: configuration, stateDirectory: stateDirectory)
    }
  }

  private static func start(
    _ kind: PackageKind, configuration: String, stateDirectory: String
  ) throws(SystemError) {
    let own = try ownPath()
    guard let program = candidates(beside: own).first(where: { access($0, X_OK) == 0 }) else {
      throw SystemError("no baudgate beside \(own), nor in ../bin or ../../bin of it", errno: ENOENT)
    }
    // It works in /, and the path was given to whoever started the daemon.
    func absolute(_ path: String) throws(SystemError) -> String {
      path.hasPrefix("/") ? path : "\(try workingDirectory())/\(path)"
    }
    try launch([
      program, "install-package", kind.rawValue, "--config", try absolute(configuration), "--state-directory",
      try absolute(stateDirectory),
    ])
  }

  /// Starts a program that is nobody's child and outlives this process.
  ///
  /// - Parameter arguments: Its absolute path and arguments.
  static func launch(_ arguments: [String]) throws(SystemError) {
    let failure = withCStrings(arguments) { arguments in
      withCStrings(Program.environment) { environment in bg_spawn_detached(arguments, environment) }
    }
    guard failure == 0 else { throw SystemError(arguments.first ?? "execve", errno: failure) }
  }

  /// Where `baudgate` may stand: `bin/baudgated`, `sbin/baudgated` and `libexec/baudgate/baudgated` are in use.
  static func candidates(beside daemon: String) -> [String] {
    let directory = daemon.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    return ["", "/../bin", "/../../bin"].map { "\(directory)\($0)/baudgate" }
  }

  /// Of the running program; of what has replaced it where a package manager has.
  static func ownPath() throws(SystemError) -> String {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = try check("readlink /proc/self/exe") { readlink("/proc/self/exe", &bytes, bytes.count) }
    let path = String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let replaced = " (deleted)"
    return path.hasSuffix(replaced) ? String(path.dropLast(replaced.count)) : path
  }

  private static func workingDirectory() throws(SystemError) -> String {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard getcwd(&bytes, bytes.count) != nil else { throw SystemError("getcwd") }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
