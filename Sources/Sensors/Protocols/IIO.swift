internal import Telemetry
internal import YAML

/// `protocol: iio`: converters, climate, light and other chips with a driver of the kernel's industrial I/O.
enum IIOProtocol {
  static let entry = ProtocolEntry(
    name: "iio",
    decode: { reader, naming in IIOSettings(from: &reader, naming) },
    hints: SysfsHints.chip,
    source: .files { sensor in
      (sensor.settings as? IIOSettings).map {
        IIOSensor(settings: $0, document: sensor.document, files: KernelFiles())
      }
    })
}

/// An IIO sensor's own options.
struct IIOSettings: ProtocolSettings {
  /// A name, a label or a path.
  let chip: String
  let channels: [(channel: IIOChannel, value: SysfsValue)]

  var valueNames: [String]? { channels.map(\.value.name) }

  static func == (a: IIOSettings, b: IIOSettings) -> Bool {
    a.chip == b.chip && a.channels.elementsEqual(b.channels) { $0.channel == $1.channel && $0.value == $1.value }
  }
}

// MARK: - Decoding
extension IIOSettings {
  init?(from reader: inout MappingReader, _ naming: KeyNaming) {
    let scales = ScaleOptions(from: &reader)
    reader.require("channels")
    let chip = reader.requiredString("chip")
    var channels: [(channel: IIOChannel, value: SysfsValue)] = []
    let places = reader.places("channels", expecting: "a channel such as in_voltage0", naming, scales)
    for place in places ?? [] {
      if let channel = IIOChannel(place.text) {
        channels.append((channel, place.value))
        continue
      }
      let bare = IIOChannel.endings.first { place.text.hasSuffix($0) }.map { String(place.text.dropLast($0.count)) }
      let hint = bare.flatMap(IIOChannel.init).map { "; did you mean \(quoted($0.name))?" } ?? ""
      reader.diagnostics.error(
        at: place.node,
        "\(place.path) is \(quoted(place.text)); expected a channel such as in_voltage0 or in_temp\(hint)")
    }
    scales.check(among: places?.map(\.value.name), reader)
    guard let chip, let places, channels.count == places.count else { return nil }
    self.chip = chip
    self.channels = channels
  }
}
