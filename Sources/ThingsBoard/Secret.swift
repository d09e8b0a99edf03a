internal import Telemetry

/// A token, key or password: no description, dump or interpolation shows it.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let value: String

  public init(_ value: String) { self.value = value }

  /// The secret itself; only for the wire.
  public func reveal() -> String { value }

  /// What stands where a secret was.
  public static let mask = "‹secret›"

  public var description: String { Self.mask }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }

  /// `text` with every occurrence of the secret masked, percent-encoded and JSON-escaped ones too: servers and proxies
  /// repeat paths and bodies in what they say.
  public func masked(in text: String) -> String {
    spellings.reduce(text) { Self.replacing($1, in: $0, with: Self.mask) }
  }

  /// How the secret may stand in a text, itself first; none where it is empty.
  public var spellings: [String] {
    guard !value.isEmpty else { return [] }
    var literal: [UInt8] = []
    value.appendJSON(to: &literal)
    let escaped = String(decoding: literal.dropFirst().dropLast(), as: UTF8.self)
    return [value] + [percentEncoded(value), escaped].filter { $0 != value }
  }

  /// Compares bytes: by character, a combining mark behind a secret would hide it.
  private static func replacing(_ needle: String, in text: String, with mask: String) -> String {
    let (needle, bytes) = (Array(needle.utf8), Array(text.utf8))
    guard let first = needle.first else { return text }
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == first, bytes[index...].starts(with: needle) {
        result += mask.utf8
        index += needle.count
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}

/// Source: RFC 3986, 2.3 (unreserved characters).
func percentEncoded(_ text: String) -> String {
  let hex = Array("0123456789ABCDEF".utf8)
  var bytes: [UInt8] = []
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
      bytes.append(byte)
    default: bytes += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}
