internal import Telemetry
internal import YAML

/// Reads thermal zones.
///
/// Source: the kernel's Documentation/ABI/testing/sysfs-class-thermal: `type`, `temp` in millidegrees Celsius.
struct ThermalSensor: FileSensor {
  static let kind = SysfsClass(
    directory: "/sys/class/thermal", prefix: "thermal_zone", nameFile: "type", subdirectory: nil, noun: "thermal zone",
    remedy: "write the number of one")

  let settings: ThermalSettings
  /// The key of the whole reading with `report: json`.
  let document: Key?
  let files: any SysfsFiles

  mutating func read(as sensor: Int, into output: inout DecoderOutput) {
    var cycle = SysfsCycle(files)
    for (zone, value) in settings.zones {
      do throws(DecodingFault) {
        let directory: String
        switch zone {
        case .number(let number): directory = "\(Self.kind.directory)/\(Self.kind.prefix)\(number)"
        case .type(let type): directory = try Self.kind.find(type, cycle)
        }
        let number = try cycle.number(in: "\(directory)/temp")
        cycle.take(SysfsUnit.milli.factor()(number), for: value, isTemperature: true)
      } catch { cycle.fail(error.of(value.name)) }
    }
    cycle.finish(as: sensor, document, into: &output)
  }
}
