internal import ArgumentParser
internal import Foundation
internal import Simulator

struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Run two sensors, a relay, the real daemon and a server, and show what happens.",
    discussion: """
      On a terminal: c cuts the server off and brings it back, r switches the relay, q quits. Elsewhere it prints plain \
      lines, switches the relay and cuts the server off once by itself. At the end it says whether every reading arrived \
      and every command was answered exactly once; the exit status is 0 if so.
      """)

  @Option(help: "How long the sensors send. (default: 20; on a terminal until q)")
  var seconds: Double?

  @Option(help: "The daemon's executable. (default: baudgated beside this one)")
  var daemon: String?

  @Flag(help: "Plain lines even on a terminal.")
  var plain = false

  func validate() throws {
    if let seconds, !(seconds > 0 && seconds <= 86_400) {
      throw ValidationError("--seconds must be above 0 and at most 86400")
    }
  }

  func run() async throws {
    var options = Demo.Options(daemon: daemon ?? Self.besideThis("baudgated"))
    options.seconds = seconds
    options.isPlain = plain
    guard FileManager.default.isExecutableFile(atPath: options.daemon) else {
      throw ValidationError("there is no daemon at \(options.daemon); `make build` makes one, or name it with --daemon")
    }
    do {
      if try await Demo(options).run() { return }
    } catch {
      FileHandle.standardError.write(Data("error: \(error)\n".utf8))
    }
    throw ExitCode.failure
  }

  private static func besideThis(_ name: String) -> String {
    var path = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &path, path.count - 1)
    let own = String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
  }
}
