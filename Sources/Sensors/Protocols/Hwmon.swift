internal import Telemetry
internal import YAML

/// `protocol: hwmon`: temperatures, voltages, currents, fans of chips with a driver of the kernel's hardware monitoring.
enum HwmonProtocol {
  static let entry = ProtocolEntry(
    name: "hwmon",
    decode: { reader, naming in HwmonSettings(from: &reader, naming) },
    hints: SysfsHints.chip,
    source: .files { sensor in
      (sensor.settings as? HwmonSettings).map {
        HwmonSensor(settings: $0, document: sensor.document, files: KernelFiles())
      }
    })
}

/// A hwmon sensor's own options.
struct HwmonSettings: ProtocolSettings {
  /// A name, a label or a path.
  let chip: String
  let channels: [(channel: HwmonChannel, value: SysfsValue)]

  var valueNames: [String]? { channels.map(\.value.name) }

  static func == (a: HwmonSettings, b: HwmonSettings) -> Bool {
    a.chip == b.chip && a.channels.elementsEqual(b.channels) { $0.channel == $1.channel && $0.value == $1.value }
  }
}

// MARK: - Decoding
extension HwmonSettings {
  private static let ending = "_input"

  init?(from reader: inout MappingReader, _ naming: KeyNaming) {
    let scales = ScaleOptions(from: &reader)
    reader.require("channels")
    let chip = reader.requiredString("chip")
    var channels: [(channel: HwmonChannel, value: SysfsValue)] = []
    let places = reader.places("channels", expecting: "a channel such as temp1", naming, scales)
    for place in places ?? [] {
      let bare = place.text.hasSuffix(Self.ending) ? String(place.text.dropLast(Self.ending.count)) : ""
      if HwmonChannel.kind(of: bare) != nil {
        reader.diagnostics.error(
          at: place.node,
          "\(place.path) is \(quoted(place.text)); expected a channel such as temp1; did you mean \(quoted(bare))?")
      } else {
        channels.append((HwmonChannel(place.text), place.value))
      }
    }
    scales.check(among: places?.map(\.value.name), reader)
    guard let chip, let places, channels.count == places.count else { return nil }
    self.chip = chip
    self.channels = channels
  }
}
