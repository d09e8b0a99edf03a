internal import Telemetry

/// Tells what one thermometer has measured from what it says without having measured. A value, one for each device.
///
/// - All zeros: the data line is held low, or a clone answers so. Their CRC, zero, is right.
/// - 85 °C: what stands in the scratchpad after power-on, until a conversion has ended. A genuine DS18B20 then has 0C in
///   byte 6, and after a conversion a byte whose sum with byte 0 ends in a zero digit (16 − the fraction), so that an 85 °C
///   it has measured shows 10. Many clones have one and the same byte 6 always, a DS18S20 has 0C (its count) for both, and
///   a driver's `temperature` shows no bytes: there 85 °C counts where the value before it was near it.
/// - 127.9 °C: a conversion that broke off for want of power.
///
/// Source: DS18B20 datasheet 19-7487 (Table 1, Figure 9); DS18S20 datasheet; the kernel's w1_therm.rst, `features`; for
/// byte 6 and clones https://github.com/cpetrich/counterfeit_DS18B20 (families A to E).
struct W1Judge: Sendable {
  /// Thousandths of °C.
  static let powerOn: Int64 = 85_000
  /// How far from 85 °C the value before may be for 85 °C to count without other proof.
  static let near: Int64 = 5_000
  /// What the sensors can measure.
  static let range: ClosedRange<Int64> = -55_000...125_000

  private static let countAtPowerOn: UInt8 = 0x0C
  private static let countAt85: UInt8 = 0x10

  let id: W1ID
  /// The last that counted.
  private var last: Int64?
  /// Whether byte 6 has been seen not to follow the temperature.
  private var isCountFixed = false

  init(_ id: W1ID) { self.id = id }

  /// Takes what `w1_slave` says.
  ///
  /// - Returns: °C.
  /// - Throws: `.badChecksum`, `.implausible`.
  mutating func judge(_ block: W1Block) throws(DecodingFault) -> Double {
    guard block.isValid else {
      throw DecodingFault(
        .badChecksum,
        "its answer fails the CRC (\(quoted(hexadecimal(block.bytes)))); check the cable and the pull-up resistor")
    }
    guard block.bytes.contains(where: { $0 != 0 }) else {
      throw DecodingFault(
        .implausible, "it answered zeros only, which is no measurement; is its data line shorted to ground?")
    }
    return try judge(block.temperature, block.bytes)
  }

  /// Takes what `temperature` says, or the rest of a block.
  mutating func judge(_ temperature: Int64, _ bytes: [UInt8]? = nil) throws(DecodingFault) -> Double {
    if temperature == Self.powerOn {
      guard isMeasured(bytes) else {
        throw DecodingFault(
          .implausible,
          "85 °C is what it says after power-on, before it has measured; does its supply fail, or is it too weak?")
      }
    } else if id.hasCount, let bytes, bytes.count == W1Block.length {
      if (bytes[0] &+ bytes[6]) & 0x0F != 0 { isCountFixed = true }
    }
    guard Self.range.contains(temperature) || id.isThermocouple else {
      throw DecodingFault(
        .implausible,
        "\(SysfsUnit.milli.factor()(Double(temperature))) °C is out of its range: a conversion broke off; check its supply"
      )
    }
    last = temperature
    return SysfsUnit.milli.factor()(Double(temperature))
  }

  /// Whether 85 °C is a measurement.
  private func isMeasured(_ bytes: [UInt8]?) -> Bool {
    if id.hasCount, !isCountFixed, let bytes, bytes.count == W1Block.length {
      if bytes[6] == Self.countAt85 { return true }
      if bytes[6] == Self.countAtPowerOn { return false }
    }
    guard let last else { return false }
    return (Self.powerOn - Self.near...Self.powerOn + Self.near).contains(last)
  }

  private func hexadecimal(_ bytes: [UInt8]) -> [UInt8] {
    Array(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ").utf8)
  }
}
