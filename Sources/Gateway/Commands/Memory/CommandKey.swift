internal import Telemetry
internal import ThingsBoard

/// What tells one server-side RPC from another: its number, and a fingerprint of its method and params.
///
/// The fingerprint (FNV-1a, 64 bits) stands for the text, so that no secret among the params lies on the disk. Two
/// texts would have to meet in it under one number within ten minutes.
struct CommandKey: Hashable, Sendable {
  let id: Int64
  let fingerprint: UInt64

  init(id: Int64, fingerprint: UInt64) {
    self.id = id
    self.fingerprint = fingerprint
  }

  init(_ command: ServerCommand) {
    var digest = Fingerprint()
    digest.combine(command.method)
    digest.combine(command.params)
    self.init(id: command.id.number, fingerprint: digest.value)
  }
}

/// FNV-1a over a document's values, each behind a byte for its kind, so that `1`, `"1"` and `true` differ.
///
/// Source: draft-eastlake-fnv; "foobar" gives 0x85944171F73967E8.
struct Fingerprint {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func combine(byte: UInt8) {
    value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
  }

  mutating func combine(_ text: String) {
    for byte in text.utf8 { combine(byte: byte) }
    // Cannot occur in UTF-8: an end.
    combine(byte: 0xFF)
  }

  /// Recursive, as deep as the reader lets a document be (`JSONLimits.deepest`).
  mutating func combine(_ json: JSON) {
    switch json {
    case .null: combine(byte: 0)
    case .bool(let value): combine(byte: value ? 2 : 1)
    case .integer(let value):
      combine(byte: 3)
      combine(bits: UInt64(bitPattern: value))
    case .double(let value):
      combine(byte: 4)
      combine(bits: value.bitPattern)
    case .string(let text):
      combine(byte: 5)
      combine(text)
    case .array(let elements):
      combine(byte: 6)
      for element in elements { combine(element) }
      combine(byte: 7)
    case .object(let members):
      combine(byte: 8)
      for member in members {
        combine(member.name)
        combine(member.value)
      }
      combine(byte: 9)
    }
  }

  private mutating func combine(bits: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) { combine(byte: UInt8(truncatingIfNeeded: bits >> UInt64(shift))) }
  }
}
