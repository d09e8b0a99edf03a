internal import Foundation

/// A program run to its end.
enum Command {
  struct Result: Sendable {
    /// 128 + N after signal N.
    var status: Int32
    /// Standard output and standard error.
    var output: String
  }

  /// Where programs are looked for; a test's `PATH` is not.
  private static let directories = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"]

  /// - Throws: ``ProxyError`` where the program is missing.
  static func find(_ name: String) throws(ProxyError) -> String {
    let paths = directories.map { "\($0)/\(name)" }
    guard let path = paths.first(where: FileManager.default.isExecutableFile) else {
      throw ProxyError("\(name) is not installed; scripts/setup installs it")
    }
    return path
  }

  static func run(_ name: String, _ arguments: [String]) async throws(ProxyError) -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try find(name))
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    let ended = AsyncStream<Int32>.makeStream()
    process.terminationHandler = { process in
      ended.continuation.yield(process.terminationStatus + (process.terminationReason == .exit ? 0 : 128))
      ended.continuation.finish()
    }
    do { try process.run() } catch { throw ProxyError("cannot start \(name): \(error)") }
    // What these programs print fits into a pipe.
    var status: Int32 = -1
    for await value in ended.stream { status = value }
    let data = (try? output.fileHandleForReading.readToEnd()) ?? nil
    return Result(status: status, output: String(decoding: data ?? Data(), as: UTF8.self))
  }
}

/// Why there is no proxy.
public struct ProxyError: Error, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
