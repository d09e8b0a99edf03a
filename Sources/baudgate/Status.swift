internal import ArgumentParser
internal import CKernel
internal import Configuration
internal import Glibc
internal import Telemetry

/// `baudgate status`: asks the running daemon over its control socket.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what the running daemon is doing.",
    discussion: "Sensors with their last values, ports, the queue and the way to the server.")

  @OptionGroup var options: ConfigurationOption

  @Flag(help: "Print the daemon's own JSON document.")
  var json = false

  func run() throws {
    guard case .success(let configuration) = GatewayConfiguration.load(path: options.config) else {
      throw ValidationError("\(options.config) is not valid; see `baudgate check --config \(options.config)`")
    }
    guard let path = configuration.controlSocket else {
      throw ValidationError("no control socket: the daemon runs without a runtime directory")
    }
    let document = try ControlClient.ask("status", at: path)
    guard let report = try? JSON(parsing: document) else {
      throw ValidationError("\(path) answered something else than a status document")
    }
    print(json ? report.text : StatusTable(report).text)
  }
}

/// One request over the control socket.
enum ControlClient {
  /// A status document is a few kilobytes; 200 sensors with 200 keys stay below.
  static let answerLimit = 4 << 20

  static func ask(_ request: String, at path: String) throws -> [UInt8] {
    let descriptor = bg_unix_connect(path)
    guard descriptor >= 0 else {
      let reason = String(cString: strerror(errno))
      throw ValidationError("cannot reach the daemon at \(path): \(reason); is baudgate running, and may you ask it?")
    }
    defer { close(descriptor) }
    let line = Array("\(request)\n".utf8)
    guard write(descriptor, line, line.count) == line.count else {
      throw ValidationError("the daemon at \(path) hung up")
    }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while answer.count < answerLimit {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      answer += chunk.prefix(count)
    }
    guard !answer.isEmpty else { throw ValidationError("the daemon at \(path) refused to answer") }
    return answer
  }
}
