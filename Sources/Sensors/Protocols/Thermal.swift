internal import Telemetry
internal import YAML

/// `protocol: thermal`: the kernel's thermal zones, such as a board's processor.
enum ThermalProtocol {
  static let entry = ProtocolEntry(
    name: "thermal",
    decode: { reader, naming in ThermalSettings(from: &reader, naming) },
    hints: [
      "type": "write zone:, or zones: {NAME: ZONE}", "channels": "write zones: {NAME: ZONE}",
      "chip": "write zone:, or zones: {NAME: ZONE}",
    ],
    source: .files { sensor in
      (sensor.settings as? ThermalSettings).map {
        ThermalSensor(settings: $0, document: sensor.document, files: KernelFiles())
      }
    })
}

/// A thermal sensor's own options.
struct ThermalSettings: ProtocolSettings {
  enum Zone: Sendable, Equatable {
    case number(Int)
    /// As the zone's file `type` has it.
    case type(String)

    init(_ text: String) {
      if let number = Int(text), (0...999).contains(number) { self = .number(number) } else { self = .type(text) }
    }
  }

  let zones: [(zone: Zone, value: SysfsValue)]

  var valueNames: [String]? { zones.map(\.value.name) }

  static func == (a: ThermalSettings, b: ThermalSettings) -> Bool {
    a.zones.elementsEqual(b.zones) { $0.zone == $1.zone && $0.value == $1.value }
  }
}

// MARK: - Decoding
extension ThermalSettings {
  init?(from reader: inout MappingReader, _ naming: KeyNaming) {
    let scales = ScaleOptions(from: &reader)
    let single = reader.singlePlace("zone", naming, scales)
    let several = reader.places("zones", expecting: "a zone such as cpu-thermal", naming, scales)
    guard reader.has("zone") != reader.has("zones") else {
      let found = reader.has("zone") ? "zone and zones" : "no zone"
      reader.error(at: "zones", "\(reader.path) has \(found); it needs either zone: ZONE or zones: {NAME: ZONE}")
      return nil
    }
    let places = single.map { [$0] } ?? several
    scales.check(among: places?.map(\.value.name), reader)
    guard let places else { return nil }
    zones = places.map { (Zone($0.text), $0.value) }
  }
}
