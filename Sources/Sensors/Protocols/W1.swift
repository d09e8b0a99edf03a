internal import Telemetry
internal import YAML

/// `protocol: w1`: thermometers of the DS18B20's family on 1-wire.
enum W1Protocol {
  static let entry = ProtocolEntry(
    name: "w1",
    decode: { reader, naming in W1Settings(from: &reader, naming) },
    hints: [
      "ids": "write devices: {NAME: ID}", "address": "write id:, or devices: {NAME: ID}",
      "resolution": "it is set once with the tools of the system, see docs/sysfs.md",
    ],
    source: .files { sensor in
      (sensor.settings as? W1Settings).map {
        W1Sensor(settings: $0, naming: sensor.naming, document: sensor.document, files: KernelFiles())
      }
    })
}

/// A 1-wire sensor's own options.
struct W1Settings: ProtocolSettings {
  struct Device: Sendable, Equatable {
    let id: W1ID
    let value: SysfsValue
  }

  /// `nil` for whatever is on the bus.
  let devices: [Device]?
  /// By value name.
  let scales: [String: LinearScale]

  var valueNames: [String]? { devices?.map(\.value.name) }
}

// MARK: - Decoding
extension W1Settings {
  private static let example = "28-000005e2fdc3"

  init?(from reader: inout MappingReader, _ naming: KeyNaming) {
    let scales = ScaleOptions(from: &reader)
    let single = reader.singlePlace("id", naming, scales)
    let several = reader.places("devices", expecting: "a name such as \(Self.example)", naming, scales)
    self.scales = scales.scales
    guard reader.has("id") || reader.has("devices") else {
      devices = nil
      return
    }
    if reader.has("id"), reader.has("devices") {
      reader.error(at: "id", "\(reader.path) has id and devices; it needs one of them, or none for all there are")
      return nil
    }
    guard let places = single.map({ [$0] }) ?? several else { return nil }
    scales.check(among: places.map(\.value.name), reader)
    var devices: [Device] = []
    for place in places {
      guard let id = W1ID(place.text) else {
        reader.diagnostics.error(
          at: place.node,
          "\(place.path) is \(quoted(place.text)); expected a thermometer's name such as \(Self.example)")
        continue
      }
      if let other = devices.first(where: { $0.id == id }) {
        reader.diagnostics.error(
          at: place.node, "\(place.path) is \(quoted(place.text)), which is \(quoted(other.value.name)) already")
        continue
      }
      devices.append(Device(id: id, value: place.value))
    }
    guard devices.count == places.count else { return nil }
    self.devices = devices
  }
}
