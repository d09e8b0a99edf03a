internal import ArgumentParser
internal import CKernel
internal import Configuration
internal import Gateway
internal import Glibc
internal import Telemetry

/// One request that needs the server: through the running daemon, or without it where none runs.
struct ServerRequest {
  /// As the control socket takes it.
  let document: JSON

  /// - Returns: The answer's document.
  /// - Throws: `ValidationError` for a daemon that cannot be reached or a file that is not valid; `ExitCode` with the
  ///   reason on stderr where the request failed.
  func perform(_ configurationPath: String) throws -> JSON {
    guard let configuration = ConfigurationInUse.load(configurationPath) else {
      throw ValidationError(
        "\(configurationPath) is not valid; see `baudgate check --config \(configurationPath)`")
    }
    let answer: JSON
    if let socket = configuration.controlSocket, Self.somebodyListens(at: socket) {
      let bytes = try ControlClient.ask(document.text, at: socket, patience: ControlClient.serverPatience)
      guard let document = try? JSON(parsing: bytes, limits: ControlClient.limits) else {
        throw ValidationError("\(socket) answered something else than JSON")
      }
      answer = document
    } else {
      answer = OneShot.perform(document, configurationPath: configurationPath)
    }
    if case .string(let words) = answer["error"] {
      // A file's mistakes are a line each.
      for line in words.split(separator: "\n") { printError("baudgate: \(oneLine(String(line)))") }
      throw ExitCode.failure
    }
    return answer
  }

  private static func somebodyListens(at path: String) -> Bool {
    let descriptor = bg_unix_connect(path)
    // A daemon that this user may not ask runs all the same.
    guard descriptor >= 0 else { return errno == EACCES || errno == EPERM }
    close(descriptor)
    return true
  }
}
