internal import Telemetry
internal import YAML

/// Reads channels of one IIO chip.
struct IIOSensor: FileSensor {
  static let kind = SysfsClass(
    directory: "/sys/bus/iio/devices", prefix: "iio:device", nameFile: "name", subdirectory: nil, noun: "IIO chip",
    remedy: "write `chip:` as one's label or as its path, such as /sys/bus/i2c/devices/1-0048")

  let settings: IIOSettings
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
        let number = try Self.number(of: channel, in: directory, names, &cycle)
        cycle.take(number, for: value, isTemperature: channel.isTemperature)
      } catch { cycle.fail(error.of(value.name)) }
    }
  }

  /// In Baudgate's unit. A driver that scales itself has `_input`; of another, (raw + offset) × scale.
  private static func number(
    of channel: IIOChannel, in directory: String, _ names: [String], _ cycle: inout SysfsCycle
  ) throws(DecodingFault) -> Double {
    if names.contains("\(channel.name)_input") {
      return channel.unit.factor()(try cycle.number(in: "\(directory)/\(channel.name)_input"))
    }
    guard names.contains("\(channel.name)_raw") else {
      let known = IIOChannel.names(among: names)
      throw DecodingFault(
        .absent, "\(directory) has no channel \(channel.name); it has \(known.isEmpty ? "none" : listed(known))")
    }
    var (scale, offset) = (1.0, 0.0)
    if let file = channel.file("scale", among: names) { scale = try cycle.number(in: "\(directory)/\(file)") }
    if let file = channel.file("offset", among: names) { offset = try cycle.number(in: "\(directory)/\(file)") }
    // Last: a chip may change its range, and with it the scale, for the next conversion.
    let raw = try cycle.number(in: "\(directory)/\(channel.name)_raw")
    return channel.unit.factor(scale)(raw + offset)
  }
}
