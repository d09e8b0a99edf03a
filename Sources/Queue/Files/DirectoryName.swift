internal import CKernel

/// A device's name as one component of a path: letters, digits, `-`, `_` and inner dots stay, the rest is
/// percent-encoded; a long one is cut and told apart by its checksum.
enum DirectoryName {
  /// Below NAME_MAX with room for `.jsonl.1`.
  static let bytesAtMost = 200

  static func of(_ device: String) -> String {
    var name: [UInt8] = []
    for (index, byte) in device.utf8.enumerated() {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        name.append(byte)
      case UInt8(ascii: ".") where index > 0: name.append(byte)
      default:
        let digits = String(byte, radix: 16)
        name += "%\(digits.count < 2 ? "0" : "")\(digits)".utf8
      }
    }
    if name.isEmpty { return "%" }
    guard name.count > bytesAtMost else { return String(decoding: name, as: UTF8.self) }
    let whole = Array(device.utf8)
    let checksum = whole.withUnsafeBytes { bg_crc32c(0, $0.baseAddress, $0.count) }
    return String(decoding: name.prefix(bytesAtMost), as: UTF8.self) + "%" + String(checksum, radix: 16)
  }
}
