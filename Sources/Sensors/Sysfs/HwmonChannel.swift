/// One channel of a hwmon chip: `temp1`, `in0`, `fan2`, or the label its driver gives it.
///
/// Source: the kernel's Documentation/ABI/testing/sysfs-class-hwmon.
enum HwmonChannel: Sendable, Equatable {
  case name(String)
  case label(String)

  /// A kind of channel and what its numbers are.
  struct Kind: Sendable, Equatable {
    let prefix: String
    let unit: SysfsUnit
    var isTemperature: Bool { prefix == "temp" }
  }

  /// mV, mA, millidegrees Celsius, thousandths of a per cent, µW, µJ; revolutions a minute and Hz as they are.
  private static let kinds = [
    Kind(prefix: "temp", unit: .milli), Kind(prefix: "in", unit: .milli), Kind(prefix: "curr", unit: .milli),
    Kind(prefix: "humidity", unit: .milli), Kind(prefix: "power", unit: .micro), Kind(prefix: "energy", unit: .micro),
    Kind(prefix: "fan", unit: .one), Kind(prefix: "freq", unit: .one),
  ]

  init(_ text: String) {
    self = Self.kind(of: text) == nil ? .label(text) : .name(text)
  }

  /// - Returns: `nil` for what is no kind's name with a number.
  static func kind(of channel: String) -> Kind? {
    kinds.first { kind in
      let number = channel.utf8.dropFirst(kind.prefix.utf8.count)
      return channel.hasPrefix(kind.prefix) && (1...3).contains(number.count)
        && number.allSatisfy { (0x30...0x39).contains($0) }
    }
  }

  /// The channels among a chip's files that end so, in order.
  static func names(among files: [String], ending: String) -> [String] {
    files.filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }.filter { kind(of: $0) != nil }
  }
}
