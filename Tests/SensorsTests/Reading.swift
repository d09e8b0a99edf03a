import Telemetry
import YAML

@testable import Sensors

/// The options that follow from one or more entries of `sensors:`, and what was said of them.
func load(_ yaml: String) -> (sensors: [SensorOptions], messages: [String]) {
  let diagnostics = Diagnostics(file: "test.yaml")
  var sensors: [SensorOptions] = []
  if let root = YAMLNode.load(Array(yaml.utf8), file: "test.yaml", diagnostics: diagnostics),
    case .mapping(let entries) = root.value
  {
    for entry in entries {
      guard
        var reader = MappingReader(
          entry.value, path: "sensors.\(entry.name)", name: entry.name, diagnostics: diagnostics)
      else { continue }
      if let sensor = SensorOptions(from: &reader, name: entry.name) { sensors.append(sensor) }
    }
  }
  return (sensors, diagnostics.errors.map { "\($0.line):\($0.column): \($0.message)" })
}

struct Unusable: Error, CustomStringConvertible {
  let description: String
}

/// One line sensor named `s`, from options such as `template: "T={t}"`, several with `; ` between them.
func lineSensor(_ options: String) throws -> any PortDecoder {
  let lines = options.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
  return try decoder("s:\n  port: p\n  protocol: line\n\(lines)")
}

func decoder(_ yaml: String) throws -> any PortDecoder {
  let (sensors, messages) = load(yaml)
  guard messages.isEmpty, let decoder = SensorProtocols.decoder(for: sensors) else {
    throw Unusable(description: messages.joined(separator: "\n"))
  }
  return decoder
}

let noon = CaptureTime(milliseconds: 1_700_000_000_000, boottime: 5_000)

/// What a decoder makes of bytes: a line per sample and per fault, in order of sensor output.
struct Harvest: Equatable, CustomStringConvertible {
  /// Such as `t=21.0 n=5 s="x"`; of sensors beyond the first `1: t=21.0`.
  var samples: [String] = []
  /// Such as `notNumber expected a number for t, got "--" in "T=--"`.
  var faults: [String] = []

  init(_ decoder: inout any PortDecoder, _ chunks: [[UInt8]]) {
    var output = DecoderOutput()
    for chunk in chunks {
      decoder.feed(chunk, at: noon, into: &output)
      samples += output.samples.map {
        Self.prefix($0.sensor) + $0.sample.readings.map(Self.text).joined(separator: " ")
      }
      faults += output.faults.map { Self.prefix($0.sensor) + "\($0.fault.code.rawValue) \($0.fault.message)" }
      output.removeAll()
    }
  }

  init(_ decoder: any PortDecoder, _ text: String) {
    var decoder = decoder
    self.init(&decoder, [Array(text.utf8)])
  }

  var description: String { (samples + faults).joined(separator: "\n") }

  private static func prefix(_ sensor: Int) -> String { sensor == 0 ? "" : "\(sensor): " }

  private static func text(_ reading: Reading) -> String {
    switch reading.value {
    case .bool(let value): "\(reading.key.name)=\(value)"
    case .long(let value): "\(reading.key.name)=\(value)"
    case .double(let value): "\(reading.key.name)=\(value)"
    case .string(let value): "\(reading.key.name)='\(value)'"
    case .json(let value): "\(reading.key.name)=\(value.text)"
    }
  }
}

/// A row of a table: what a sensor with these options makes of a line.
struct Row: Sendable, CustomStringConvertible {
  let sentence: String
  let options: String
  let line: String
  let sample: String?
  let fault: String?

  init(_ sentence: String, _ options: String, _ line: String, gives sample: String) {
    (self.sentence, self.options, self.line, self.sample, fault) = (sentence, options, line, sample, nil)
  }

  init(_ sentence: String, _ options: String, _ line: String, isFault fault: String) {
    (self.sentence, self.options, self.line, sample, self.fault) = (sentence, options, line, nil, fault)
  }

  var description: String { sentence }

  func harvest() throws -> Harvest { Harvest(try lineSensor(options), line + "\n") }
  var expectedSamples: [String] { sample.map { [$0] } ?? [] }
  var expectedFaults: [String] { fault.map { [$0] } ?? [] }
}
