internal import Telemetry
internal import YAML

/// Reads channels of one hwmon chip.
struct HwmonSensor: FileSensor {
  static let kind = SysfsClass(
    directory: "/sys/class/hwmon", prefix: "hwmon", nameFile: "name", subdirectory: "hwmon", noun: "hwmon chip",
    remedy: "write `chip:` as one's label or as the path of its device, such as /sys/bus/i2c/devices/1-0048")

  let settings: HwmonSettings
  /// The key of the whole reading with `report: json`.
  let document: Key?
  let files: any SysfsFiles

  mutating func read(as sensor: Int, into output: inout DecoderOutput) {
    var cycle = SysfsCycle(files)
    read(&cycle)
    cycle.finish(as: sensor, document, into: &output)
  }

  private func read(_ cycle: inout SysfsCycle) {
    let directory: String
    let names: [String]
    do throws(DecodingFault) {
      directory = try Self.kind.find(settings.chip, cycle)
      do throws(SysfsError) { names = try files.names(in: directory) } catch { throw error.fault }
    } catch { return cycle.fail(error) }
    for (channel, value) in settings.channels {
      do throws(DecodingFault) {
        let channel = try Self.name(of: channel, in: directory, names, cycle)
        let kind = HwmonChannel.kind(of: channel)
        let number = try Self.number(of: channel, in: directory, names, &cycle)
        cycle.take(
          (kind?.unit ?? .one).factor()(number), for: value, isTemperature: kind?.isTemperature ?? false)
      } catch { cycle.fail(error.of(value.name)) }
    }
  }

  /// As the driver's files begin.
  private static func name(
    of channel: HwmonChannel, in directory: String, _ names: [String], _ cycle: SysfsCycle
  ) throws(DecodingFault) -> String {
    let label: String
    switch channel {
    case .name(let name): return name
    case .label(let text): label = text
    }
    let labelled = HwmonChannel.names(among: names, ending: "_label").prefix(SysfsLimits.values)
    var labels: [String] = []
    var found: [String] = []
    for channel in labelled {
      let text = cycle.text(in: "\(directory)/\(channel)_label") ?? ""
      labels.append(text)
      if text == label { found.append(channel) }
    }
    if found.count == 1 { return found[0] }
    guard found.isEmpty else {
      throw DecodingFault(
        .ambiguous, "\(listed(found)) of \(directory) are all labelled \(quoted(label)); write one of these names")
    }
    let known = labels + HwmonChannel.names(among: names, ending: "_input")
    throw DecodingFault(
      .absent, "\(directory) has no channel \(quoted(label)); it has \(known.isEmpty ? "none" : listed(known))")
  }

  /// In the driver's unit.
  private static func number(
    of channel: String, in directory: String, _ names: [String], _ cycle: inout SysfsCycle
  ) throws(DecodingFault) -> Double {
    // A power meter may know its average only.
    guard let file = ["\(channel)_input", "\(channel)_average"].first(where: names.contains) else {
      let known = HwmonChannel.names(among: names, ending: "_input")
      throw DecodingFault(
        .absent, "\(directory) has no channel \(channel); it has \(known.isEmpty ? "none" : listed(known))")
    }
    if names.contains("\(channel)_fault"), try cycle.number(in: "\(directory)/\(channel)_fault") != 0 {
      throw DecodingFault(
        .implausible,
        "the chip says that \(channel) is broken (\(directory)/\(channel)_fault is not 0); check its wiring")
    }
    return try cycle.number(in: "\(directory)/\(file)")
  }
}
