/// A 1-wire device as the kernel calls it: `28-000005e2fdc3`, family and serial number.
struct W1ID: Sendable, Hashable {
  /// The thermometers the kernel's w1_therm drives: DS18S20, DS1822, DS18B20, DS1825 and MAX31850, DS28EA00.
  private static let families = ["10", "22", "28", "3b", "42"]
  private static let digits = 12

  let name: String
  private var family: Substring { name.prefix(2) }

  /// - Returns: `nil` for what is no thermometer's name.
  init?(_ text: String) {
    let name = text.lowercased()
    let bytes = name.utf8
    guard bytes.count == 3 + Self.digits, Self.families.contains(String(name.prefix(2))),
      bytes.dropFirst(2).first == UInt8(ascii: "-"),
      bytes.dropFirst(3).allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else { return nil }
    self.name = name
  }

  /// Whether byte 6 of its scratchpad tells a measurement from what stands there after power-on.
  var hasCount: Bool { family == "28" || family == "22" }
  /// Whether it may measure beyond a thermometer's range: a MAX31850 has DS1825's family.
  var isThermocouple: Bool { family == "3b" }
}
