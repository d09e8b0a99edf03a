internal import EventLoop
internal import Glibc

/// Records the server will never take, one JSON object a line, with its words; for a person.
struct ParkedFile: Sendable {
  /// The file's bound; the one before it is kept beside it as `….1`.
  static let bytesAtMost = 1 << 20
  /// Bytes of the server's words that are kept.
  static let reasonBytesAtMost = 1024
  /// Bytes of a payload that are kept.
  static let payloadBytesAtMost = 64 * 1024

  let path: String
  let fileSystem: any FileSystem

  /// Appends the record and syncs it.
  func append(_ record: QueueRecord, reason: String) throws(SystemError) {
    var line: [UInt8] = []
    line += "{\"ts\":\(record.timestamp),\"sequence\":\(record.sequence),\"reason\":".utf8
    Self.appendString(Array(reason.utf8.prefix(Self.reasonBytesAtMost)), to: &line)
    line += ",\"payload\":".utf8
    // As a string: what the server refused need not be JSON.
    Self.appendString(Array(record.payload.prefix(Self.payloadBytesAtMost)), to: &line)
    if record.payload.count > Self.payloadBytesAtMost { line += ",\"payload_bytes\":\(record.payload.count)".utf8 }
    line += "}\n".utf8
    try fileSystem.makeDirectories(parent(of: path))
    var file = try fileSystem.open(path, .append)
    defer { fileSystem.close(file) }
    if try fileSystem.size(file) + line.count > Self.bytesAtMost {
      try fileSystem.rename(path, to: "\(path).1")
      fileSystem.close(file)
      file = -1
      file = try fileSystem.open(path, .append)
    }
    guard try fileSystem.append(file, line) == line.count else { throw SystemError("write", errno: ENOSPC) }
    try fileSystem.synchronizeData(file)
  }

  /// A JSON string, RFC 8259 section 7; bytes that are no UTF-8 become U+FFFD.
  private static func appendString(_ text: [UInt8], to line: inout [UInt8]) {
    line.append(UInt8(ascii: "\""))
    for byte in String(decoding: text, as: UTF8.self).utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): line += [UInt8(ascii: "\\"), byte]
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        line += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
      default: line.append(byte)
      }
    }
    line.append(UInt8(ascii: "\""))
  }
}
