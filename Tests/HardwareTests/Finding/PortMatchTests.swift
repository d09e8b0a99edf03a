import Testing

@testable import Hardware
@testable import Listing

/// Which device a match means, and what is said where it means none or two.
@Suite struct PortMatchTests {
  static let a = TTYDevice.adapter("ttyUSB0", serial: "A50285BI", path: "usb-0:1:1.0")
  static let b = TTYDevice.adapter("ttyUSB1", serial: "A9GN2B7X", path: "usb-0:2:1.0")
  static let clone = TTYDevice.adapter("ttyUSB2", "1a86:7523", path: "usb-0:3:1.0")
  static let clone2 = TTYDevice.adapter("ttyUSB3", "1a86:7523", path: "usb-0:4:1.0")
  static let board = TTYDevice.adapter("ttyAMA0", nil)

  static func socket(_ path: String) -> PortMatch {
    var match = PortMatch()
    match.properties = ["ID_PATH": path]
    return match
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let match: PortMatch
    let devices: [TTYDevice]
    let found: Result<String, PortError>
    init(_ sentence: String, _ match: PortMatch, _ devices: [TTYDevice], _ found: Result<String, PortError>) {
      (testDescription, self.match, self.devices, self.found) = (sentence, match, devices, found)
    }
  }

  static func failure(_ code: PortError.Code, _ message: String) -> Result<String, PortError> {
    .failure(PortError(code: code, message: message))
  }

  static let rows = [
    Row("by serial number", PortMatch(serial: "A9GN2B7X"), [a, b, clone, board], .success("/dev/ttyUSB1")),
    Row(
      "by vendor and product", PortMatch(vendor: "1a86", product: "7523"), [a, clone, board], .success("/dev/ttyUSB2")),
    Row("by socket", socket("usb-0:4:1.0"), [clone, clone2], .success("/dev/ttyUSB3")),
    Row(
      "nothing is there", PortMatch(vendor: "0403"), [],
      failure(
        .absent,
        "nothing fits match 0403:*: not plugged in, or another device; `baudgate ports` lists what is there")),
    Row(
      "another serial number", PortMatch(vendor: "0403", product: "6001", serial: "X1"), [a, b, board],
      failure(
        .absent,
        "nothing fits match 0403:6001 serial X1: /dev/ttyUSB0 has serial A50285BI, /dev/ttyUSB1 has serial A9GN2B7X "
          + "and all else of it")),
    Row(
      "no serial number", PortMatch(vendor: "1a86", product: "7523", serial: "X1"), [clone],
      failure(
        .absent, "nothing fits match 1a86:7523 serial X1: /dev/ttyUSB2 has no serial and all else of it")),
    Row(
      "no udev to say the socket",
      {
        var match = PortMatch(vendor: "0403")
        match.properties = ["ID_PATH": "usb-0:1:1.0"]
        return match
      }(), [TTYDevice.adapter("ttyUSB0")],
      failure(
        .absent,
        "nothing fits match 0403:* ID_PATH=usb-0:1:1.0: /dev/ttyUSB0 has no ID_PATH and all else of it")),
    Row(
      "two with serial numbers", PortMatch(vendor: "0403"), [a, b],
      failure(
        .ambiguous,
        "match 0403:* fits /dev/ttyUSB0 (serial A50285BI), /dev/ttyUSB1 (serial A9GN2B7X), so none is opened; "
          + "add `serial:` to the match")),
    Row(
      "two without", PortMatch(vendor: "1a86"), [clone, clone2],
      failure(
        .ambiguous,
        "match 1a86:* fits /dev/ttyUSB2 (no serial), /dev/ttyUSB3 (no serial), so none is opened; add "
          + "`properties: {ID_PATH: …}` to the match, the socket it is plugged into, from `baudgate ports`")),
    Row(
      "two lines of one adapter", PortMatch(serial: "FT4"),
      [.adapter("ttyUSB0", serial: "FT4", interface: 0), .adapter("ttyUSB1", serial: "FT4", interface: 1)],
      failure(
        .ambiguous,
        "match serial FT4 fits /dev/ttyUSB0 (serial FT4), /dev/ttyUSB1 (serial FT4), so none is opened; "
          + "add `interface:` to the match")),
    Row(
      "two that nothing tells apart", PortMatch(vendor: "0403"), [.adapter("ttyUSB0"), .adapter("ttyUSB1")],
      failure(
        .ambiguous,
        "match 0403:* fits /dev/ttyUSB0 (no serial), /dev/ttyUSB1 (no serial), so none is opened; "
          + "nothing udev knows tells them apart; name one by `path:`")),
    Row(
      "a rack of them", PortMatch(vendor: "0403"), (0..<5).map { .adapter("ttyUSB\($0)", serial: "S\($0)") },
      failure(
        .ambiguous,
        "match 0403:* fits /dev/ttyUSB0 (serial S0), /dev/ttyUSB1 (serial S1), /dev/ttyUSB2 (serial S2) and 2 more, "
          + "so none is opened; add `serial:` to the match")),
    Row(
      "a device that says control characters", PortMatch(vendor: "0403", serial: "X"),
      [.adapter("ttyUSB0", serial: "\u{1B}[2J\nA")],
      failure(.absent, "nothing fits match 0403:* serial X: /dev/ttyUSB0 has serial  [2J A and all else of it")),
  ]

  @Test(arguments: rows) func findsOneOrSaysWhy(_ row: Row) {
    let fitting = row.devices.filter(row.match.fits)
    let found: Result<String, PortError> =
      fitting.count == 1
      ? .success(fitting[0].node)
      : .failure(fitting.isEmpty ? .absent(row.match, among: row.devices) : .ambiguous(row.match, fitting))
    #expect(found == row.found)
  }

  @Test func aMatchToPasteFindsItsDeviceAlone() {
    let ft4 = (0..<2).map { TTYDevice.adapter("ttyUSB\(6 + $0)", serial: "FT4", interface: $0) }
    let twins = (0..<2).map { TTYDevice.adapter("ttyUSB\(4 + $0)", "067b:2303", serial: "1", path: "p\($0)") }
    let devices = [Self.a, Self.b, Self.clone, Self.board] + ft4 + twins
    let lines = devices.map { PortMatch(tellingApart: $0, from: devices)?.yaml }
    #expect(
      lines == [
        #"{vendor: "0403", product: "6001", serial: "A50285BI"}"#,
        #"{vendor: "0403", product: "6001", serial: "A9GN2B7X"}"#,
        #"{vendor: "1a86", product: "7523"}"#,
        nil,
        #"{vendor: "0403", product: "6001", serial: "FT4", interface: 0}"#,
        #"{vendor: "0403", product: "6001", serial: "FT4", interface: 1}"#,
        #"{vendor: "067b", product: "2303", serial: "1", properties: {ID_PATH: "p0"}}"#,
        #"{vendor: "067b", product: "2303", serial: "1", properties: {ID_PATH: "p1"}}"#,
      ])
    // Without udev nothing tells these apart.
    let same = [TTYDevice.adapter("ttyUSB0"), TTYDevice.adapter("ttyUSB1")]
    #expect(PortMatch(tellingApart: same[0], from: same) == nil)
  }

  @Test(arguments: [
    ("0403", "0403"), ("0x0403", "0403"), ("1A86", "1a86"), ("403", nil), ("04030", nil), ("g403", nil), ("", nil),
    ("0x", nil), ("-403", nil),
  ])
  func fourDigits(_ text: String, _ digits: String?) { #expect(PortMatch.hexadecimal(text) == digits) }
}
