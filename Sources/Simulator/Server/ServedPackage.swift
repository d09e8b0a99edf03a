internal import Foundation

/// A package the server assigns to a device, and holds unless it has a URL. Source: contract.md, section 8.
public struct ServedPackage: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case firmware, software

    /// What its attributes' names begin with.
    public var prefix: String { self == .firmware ? "fw" : "sw" }
  }

  public var kind: Kind
  public var title: String
  public var version: String
  public var tag = ""
  public var content: [UInt8]
  /// A name a person has chosen, given in Content-Disposition and x-filename.
  public var fileName = "package.bin"
  public var contentType = "application/octet-stream"
  /// As the server prints it. The server's own choice where it was not set: CRC-32, which is all it computes itself.
  public var checksum: String
  public var checksumAlgorithm = "CRC32"
  /// Where an external package is: neither size nor checksum are given then, and no bytes.
  public var url: String?
  /// The attribute `fw_signature` or `sw_signature`, which a person sets beside the assignment.
  public var signature: String?

  public init(_ kind: Kind, title: String, version: String, content: [UInt8]) {
    self.kind = kind
    self.title = title
    self.version = version
    self.content = content
    checksum = Self.crc32(content)
  }

  /// The shared attributes of the assignment. The server makes them itself: a version `1.0` stays a text, whatever its rules
  /// for values from devices.
  func attributes(at ts: Int64) -> [ValueConverter.Entry] {
    var values: [(String, StoredType, String)] = [("title", .string, title), ("version", .string, version)]
    if !tag.isEmpty { values.append(("tag", .string, tag)) }
    if let url {
      values.append(("url", .string, url))
    } else {
      values += [
        ("size", .long, "\(content.count)"), ("checksum_algorithm", .string, checksumAlgorithm),
        ("checksum", .string, checksum),
      ]
    }
    if let signature { values.append(("signature", .string, signature)) }
    return values.map { name, type, text in
      ValueConverter.Entry(key: "\(kind.prefix)_\(name)", value: StoredValue(ts: ts, type: type, text: text))
    }
  }

  /// All names an assignment may have set.
  static func attributeNames(_ kind: Kind) -> [String] {
    ["title", "version", "tag", "size", "checksum_algorithm", "checksum", "url", "signature"]
      .map { "\(kind.prefix)_\($0)" }
  }

  /// Bytes that look the same nowhere, so that a part in the wrong place shows.
  public static func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return (0..<max(0, count)).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state >> 32)
    }
  }

  /// The usual CRC-32, printed as Guava does: its bytes from the least significant on.
  public static func crc32(_ bytes: [UInt8]) -> String {
    var sum = UInt32.max
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
    }
    return String(format: "%08x", (~sum).byteSwapped)
  }
}
