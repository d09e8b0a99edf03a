internal import YAML

extension PortLocation {
  /// What a path begins with that names a serial server.
  static let serverScheme = "tcp://"
  /// The longest name DNS knows. Source: RFC 1035, 2.3.4.
  private static let hostLimit = 253
  /// What belongs to a line that the server sets up, not we. `baud` may stand: a bus computes its times by it.
  private static let lineKeys = [
    "data_bits", "parity", "stop_bits", "flow", "hupcl", "rs485", "dtr", "rts", "low_latency",
  ]

  /// Reads `tcp://HOST:PORT`; an IPv6 address stands in `[ ]`.
  ///
  /// - Returns: `nil` for anything else.
  init?(server text: String) {
    guard text.hasPrefix(Self.serverScheme) else { return nil }
    let rest = text.utf8.dropFirst(Self.serverScheme.utf8.count)
    guard let colon = rest.lastIndex(of: UInt8(ascii: ":")) else { return nil }
    let digits = rest[rest.index(after: colon)...]
    guard digits.count <= 5, digits.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(Substring(digits)),
      port > 0
    else { return nil }
    var host = rest[..<colon]
    let isBracketed = host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]") && host.count > 2
    if isBracketed { host = host.dropFirst().dropLast() }
    guard !host.isEmpty, host.count <= Self.hostLimit, host.contains(UInt8(ascii: ":")) == isBracketed,
      host.allSatisfy(Self.mayStandInHost)
    else { return nil }
    self = .tcp(host: String(Substring(host)), port: port)
  }

  /// Letters, digits, `.`, `-`, `_`, the colons of IPv6 and the `%` before its interface.
  private static func mayStandInHost(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
      UInt8(ascii: ":"), UInt8(ascii: "%"):
      true
    default: false
    }
  }

  /// Reads a `path` that begins like a serial server's, and reports keys that mean nothing there.
  static func server(_ reader: inout MappingReader) -> PortLocation? {
    guard let text = reader.string("path") else { return nil }
    for key in lineKeys where reader.has(key) {
      reader.error(
        at: key, "\(reader.path(of: key)) means nothing for a serial server, which sets up its line itself; remove it")
    }
    if let location = PortLocation(server: text) { return location }
    reader.mismatch("path", expected: "tcp://HOST:PORT such as tcp://192.0.2.7:4001; an IPv6 address stands in [ ]")
    return nil
  }
}
