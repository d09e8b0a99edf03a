internal import Telemetry

/// `protocol: line`: a reading is a line of text, in one of five formats.
enum LineProtocol {
  static let entry = ProtocolEntry(
    name: "line",
    decode: { reader, naming in LineSettings(from: &reader, naming) },
    hints: [
      "separator": "it belongs to csv: [..], and inside key_value: {..}",
      "types": "it belongs to regex:",
      "keys": "it belongs inside key_value: {keys: [..]}",
    ],
    source: .stream { sensors in
      let lines = sensors.compactMap { sensor in (sensor.settings as? LineSettings).map { (sensor, $0) } }
      return LineDecoder(
        lines.map { sensor, settings in
          LineDecoder.Sensor(
            name: sensor.name, document: sensor.report == .json ? sensor.keys?.first : nil,
            reader: settings.makeReader(sensor.naming))
        },
        lineLimit: lines.map(\.1.lineLimit).max() ?? LineFramer.defaultLimit)
    })
}

/// A line sensor's own options.
struct LineSettings: ProtocolSettings {
  enum Format: Sendable, Equatable {
    case template(LineTemplate)
    case delimited(DelimitedLine)
    case keyValue(KeyValueLine)
    case json
    case regex(RegexLine)
  }

  let format: Format
  /// By value name; those of named fields are in the fields too.
  let scales: [String: LinearScale]
  /// `max_line`, bytes.
  let lineLimit: Int

  /// The fields the format names; `nil` where the line names its values itself.
  var fields: [LineField]? {
    switch format {
    case .template(let template): template.fields
    case .delimited(let layout): layout.fields
    case .keyValue(let layout): layout.fields
    case .json: nil
    case .regex(let layout): layout.fields
    }
  }

  var valueNames: [String]? { fields?.map(\.name) }

  func makeReader(_ naming: KeyNaming) -> any LineReader {
    switch format {
    case .template(let template): TemplateReader(template: template)
    case .delimited(let layout): DelimitedReader(layout: layout)
    case .keyValue(let layout): KeyValueReader(layout, naming, scales: scales)
    case .json: JSONLineReader(naming, scales: scales)
    case .regex(let layout): RegexReader(layout)
    }
  }
}
