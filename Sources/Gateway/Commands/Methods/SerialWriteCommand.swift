internal import Hardware
internal import Telemetry

/// `serialWrite {"port":"arduino","text":"LED=1\n"}` or `{…,"hex":"0102"}`: `{"written":6}`.
struct SerialWriteCommand: Command {
  /// Bytes of one command: a second and a half at 115200 baud.
  static let sizeLimit = 16 << 10

  func methods(_: CommandContext) -> [String] { ["serialWrite"] }

  func hasLastingEffect(_: String, _: JSON, _: CommandContext) -> Bool { true }

  func run(_ method: String, _ params: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    let example = #"{"port":"\#(context.ports.first ?? "arduino")","text":"LED=1\n"}"#
    guard case .string(let port) = params.member("port") else {
      throw CommandError(.badParams, "\(method) needs a port: \(example)")
    }
    guard context.ports.contains(port) else {
      throw CommandError(
        .badParams, "there is no port \"\(shortened(port))\"; ports has \(nameList(context.ports))")
    }
    let bytes = try Self.bytes(params, method, example)
    do throws(PortError) { try await context.writePort(port, bytes) } catch { throw CommandError(error) }
    return .object([.init("written", .integer(Int64(bytes.count)))])
  }

  private static func bytes(_ params: JSON, _ method: String, _ example: String) throws(CommandError) -> [UInt8] {
    let bytes: [UInt8]
    switch (params.member("text"), params.member("hex")) {
    case (.string(let text), nil): bytes = Array(text.utf8)
    case (nil, .string(let text)):
      guard let parsed = hexadecimal(text) else {
        throw CommandError(.badParams, "hex \"\(shortened(text))\": expected pairs of digits, such as \"0A1B\"")
      }
      bytes = parsed
    default: throw CommandError(.badParams, "\(method) needs either text or hex: \(example)")
    }
    if bytes.isEmpty { throw CommandError(.badParams, "\(method) has nothing to write: \(example)") }
    if bytes.count > sizeLimit {
      throw CommandError(.badParams, "\(bytes.count) bytes are more than the \(sizeLimit) of one \(method)")
    }
    return bytes
  }

  /// Pairs of digits, blanks between pairs allowed.
  static func hexadecimal(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var high: UInt8?
    for byte in text.utf8 {
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      case UInt8(ascii: " ") where high == nil: continue
      default: return nil
      }
      if let first = high {
        bytes.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    return high == nil ? bytes : nil
  }
}
