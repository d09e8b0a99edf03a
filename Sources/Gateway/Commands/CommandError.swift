internal import Telemetry

/// Why a command was not carried out, as the server is told: `{"error":{"code":"not_output","message":"…"}}`.
struct CommandError: Error, Sendable, Equatable, CustomStringConvertible {
  enum Code: String, Sendable, CaseIterable {
    case unknownMethod = "unknown_method"
    case badParams = "bad_params"
    case notOutput = "not_output"
    case noSuchPin = "no_such_pin"
    case noSuchSensor = "no_such_sensor"
    case timeout
    /// A stop of the daemon or of the board fell between its start and its result.
    case interrupted
    case busy
    case unavailable
  }

  let code: Code
  /// What happened and what can be done; holds no secret.
  let message: String

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  var description: String { "\(code.rawValue): \(message)" }

  var json: JSON {
    .object([.init("error", .object([.init("code", .string(code.rawValue)), .init("message", .string(message))]))])
  }

  /// `json` as it is posted.
  var reply: [UInt8] {
    var bytes: [UInt8] = []
    json.write(into: &bytes)
    return bytes
  }

  static let interrupted = CommandError(
    .interrupted, "the gateway stopped while this was carried out; look before you send it again")
  static let busy = CommandError(.busy, "too many commands at once; this one was not carried out, send it again later")
  static let replyNotKept = CommandError(
    .unavailable, "this was carried out; its reply was too large to be kept for a second delivery")
  static let replyRefused = CommandError(.unavailable, "this was carried out; the server did not accept its reply")
}

/// Text of the server's in a message: printable, and no longer than a message should be.
func shortened(_ text: String, to limit: Int = 64) -> String {
  let line = oneLine(text)
  return line.count > limit ? line.prefix(limit) + "…" : line
}
