import Configuration
import Hardware
import Testing

/// `ports.NAME.match`.
@Suite struct PortMatchTests {
  static func match(_ text: String) throws -> PortMatch? {
    let configuration = try load(Sample.head + "ports: {a: {match: \(text)}}\n").get()
    guard case .match(let match) = configuration.ports.first?.options.location else { return nil }
    return match
  }

  @Test func allOfIt() throws {
    let text = #"{vendor: "0403", product: 6001, serial: A50285BI, interface: 1, properties: {ID_PATH: "pci:1.0"}}"#
    var expected = PortMatch(vendor: "0403", product: "6001", serial: "A50285BI", interface: 1)
    expected.properties = ["ID_PATH": "pci:1.0"]
    #expect(try Self.match(text) == expected)
    #expect(try Self.match("{vendor: 0403}") == PortMatch(vendor: "0403"), "not a number, so not octal")
    #expect(try Self.match("{vendor: 1A86, product: 1e10}") == PortMatch(vendor: "1a86", product: "1e10"))
    #expect(try Self.match("{serial: 12345}") == PortMatch(serial: "12345"))
    #expect(try Self.match("{properties: {ID_PATH: x}}")?.properties == ["ID_PATH": "x"])
  }

  static let mistakes = [
    Row(
      "a path as well", "a: {path: /d, match: {vendor: \"0403\"}}",
      "f:4:24: ports.a has a path and a match; expected one of the two, as a device is found by one alone"),
    Row(
      "nothing in it", "a: {match: {}}",
      "f:4:14: ports.a.match asks for nothing; expected vendor, product, serial, interface or properties"),
    Row("nothing behind it", "a: {match: }", "f:4:14: ports.a.match has no value; write one or remove the key"),
    Row(
      "text", "a: {match: 0403}",
      "f:4:14: ports.a.match is \"0403\"; expected keys, each on a line \"key: value\""),
    Row(
      "three digits", "a: {match: {vendor: 403}}",
      "f:4:23: ports.a.match.vendor is \"403\"; expected four hexadecimal digits such as \"0403\""),
    Row(
      "a prefix", "a: {match: {vendor: 0x0403, product: \"0X6001\"}}",
      "f:4:23: ports.a.match.vendor is \"0x0403\"; expected four hexadecimal digits; write \"0403\", without 0x",
      "f:4:40: ports.a.match.product is \"0X6001\"; expected four hexadecimal digits; write \"6001\", without 0x"),
    Row(
      "another program's word", "a: {match: {vid: 0403}}",
      "f:4:15: unknown key \"vid\" in ports.a.match; the key is \"vendor\""),
    Row(
      "a property in the wrong place", "a: {match: {ID_PATH: x}}",
      "f:4:15: unknown key \"ID_PATH\" in ports.a.match; udev's own names stand in \"properties\""),
    Row(
      "a key nearly right", "a: {match: {vendr: \"0403\"}}",
      "f:4:15: unknown key \"vendr\" in ports.a.match; did you mean \"vendor\"?"),
    Row(
      "an empty serial number", "a: {match: {serial: \"\"}}",
      "f:4:23: ports.a.match.serial is \"\"; expected text that is not empty"),
    Row(
      "an interface beyond any", "a: {match: {interface: 256}}",
      "f:4:26: ports.a.match.interface is \"256\"; expected an integer from 0 to 255"),
    Row(
      "a property in small letters", "a: {match: {properties: {id_path: x}}}",
      "f:4:28: ports.a.match.properties.id_path is no property of udev's; expected one such as ID_PATH, see "
        + "`baudgate ports --json`"),
    Row(
      "a property without a value", "a: {match: {properties: {ID_PATH: }}}",
      "f:4:37: ports.a.match.properties.ID_PATH is nothing; expected the property's whole value as text"),
    Row(
      "properties without number",
      "a: {match: {properties: {\((0...16).map { "P\($0): x" }.joined(separator: ", "))}}}",
      "f:4:27: ports.a.match.properties has 17 entries; at most 16 are possible"),
    Row(
      "one match for two ports, in another spelling",
      "a: {match: {vendor: 1A86, serial: x}}\n  b: {match: {serial: x, vendor: \"1a86\"}}",
      "f:5:14: ports.b.match is the same, which ports.a on line 4 has already"),
  ]

  @Test(arguments: mistakes) func reports(_ row: Row) {
    #expect(errors(Sample.head + "ports:\n  " + row.text + "\n") == row.expected)
  }

  /// Which of two fits is known when the devices are there.
  @Test func matchesThatMayOverlapAreAccepted() {
    #expect(
      errors(Sample.head + "ports: {a: {match: {vendor: \"0403\"}}, b: {match: {vendor: \"0403\", serial: x}}}\n") == []
    )
  }
}
