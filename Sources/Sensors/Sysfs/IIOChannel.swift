/// One channel of an IIO chip, and which of the chip's files say what it measures.
///
/// Source: the kernel's Documentation/ABI/testing/sysfs-bus-iio and `__iio_device_attr_init` in
/// drivers/iio/industrialio-core.c: `in_voltage0_scale` where a channel has its own, `in_voltage_scale` where all of a type
/// share one, `in_voltage-voltage_scale` for differences, `in_scale` and `scale` for all channels.
struct IIOChannel: Sendable, Equatable {
  /// Such as `in_voltage0`, `in_temp`, `in_voltage0-voltage1`, `in_accel_x`.
  let name: String
  let unit: SysfsUnit
  /// Whether its unit is °C.
  let isTemperature: Bool
  /// Prefixes of shared files, from its own to everybody's.
  private let sharers: [String]

  /// What the ABI gives in thousandths: mV, mA, mW, millidegrees Celsius, thousandths of a per cent.
  private static let thousandths = [
    "voltage", "altvoltage", "current", "power", "temp", "humidityrelative", "positionrelative",
  ]
  /// What a person may have copied with the channel's name.
  static let endings = ["_raw", "_input", "_scale", "_offset"]

  /// - Parameter name: As the configuration says it.
  /// - Returns: `nil` for what cannot be a channel.
  init?(_ name: String) {
    let direction = name.hasPrefix("in_") ? "in" : "out"
    guard name.hasPrefix("\(direction)_"), name.utf8.count <= 64,
      name.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "/") }),
      !Self.endings.contains(where: name.hasSuffix)
    else { return nil }
    let rest = name.utf8.dropFirst(direction.utf8.count + 1)
    let letters = rest.prefix { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
    let type = String(decoding: letters, as: UTF8.self)
    guard !type.isEmpty else { return nil }
    self.name = name
    let isDifference = rest.contains(UInt8(ascii: "-"))
    let shared = isDifference ? "\(direction)_\(type)-\(type)_" : "\(direction)_\(type)_"
    sharers = ["\(name)_", shared, "\(direction)_", ""]
    unit = Self.thousandths.contains(type) ? .milli : .one
    isTemperature = type == "temp"
  }

  /// The file with `what`, such as `scale`, among a chip's.
  func file(_ what: String, among files: [String]) -> String? {
    for sharer in sharers where files.contains(sharer + what) { return sharer + what }
    return nil
  }

  /// The channels among a chip's files, in order, for a message.
  static func names(among files: [String]) -> [String] {
    var names: [String] = []
    for file in files {
      for ending in ["_input", "_raw"] where file.hasSuffix(ending) {
        let name = String(file.dropLast(ending.count))
        if IIOChannel(name) != nil, names.last != name { names.append(name) }
      }
    }
    return names
  }
}
