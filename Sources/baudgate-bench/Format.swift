internal import Sensors
internal import YAML

/// What is decoded. The texts are those of Benchmarks/c-gateway/decode.c.
enum Format: String, CaseIterable {
  case template
  case csv
  case keyValue = "key_value"
  case json
  case modbus

  /// Makes what is run again and again.
  ///
  /// - Throws: `RoundError` where this build does not know the protocol.
  func makeRound() throws(RoundError) -> any Round {
    let sensor = try Self.sensor(options)
    if self == .modbus { return try AnswerRound(sensor) }
    return try LineRound(sensor, (0..<LineRound.lineCount).map(line))
  }

  /// The sensor's own options, as in the configuration.
  private var options: String {
    switch self {
    case .template: #"protocol: line, template: "T={temperature},H={humidity}""#
    case .csv: "protocol: line, csv: [temperature, humidity]"
    case .keyValue: "protocol: line, key_value: true"
    case .json: "protocol: line, json: true"
    case .modbus: "protocol: modbus_rtu, unit: \(AnswerRound.unit), interval: 10ms, registers: {\(Self.registers)}"
    }
  }

  private static var registers: String {
    (0..<AnswerRound.registerCount).map { "r\($0): {holding: \($0), type: uint16, scale: 0.1}" }.joined(separator: ", ")
  }

  /// A line of the cycle that the load benchmark sends.
  private func line(_ index: Int) -> String {
    let temperature = "\(20 + index / 10 % 10).\(index % 10)"
    let humidity = "\(40 + index % 50).\(index / 3 % 10)"
    return switch self {
    case .template, .modbus: "T=\(temperature),H=\(humidity)\n"
    case .csv: "\(temperature),\(humidity)\n"
    case .keyValue: "temperature=\(temperature) humidity=\(humidity)\n"
    case .json: #"{"temperature":\#(temperature),"humidity":\#(humidity)}"# + "\n"
    }
  }

  private static func sensor(_ options: String) throws(RoundError) -> SensorOptions {
    let diagnostics = Diagnostics(file: "baudgate-bench")
    guard
      let node = YAMLNode.load(Array("{port: p, \(options)}".utf8), file: "baudgate-bench", diagnostics: diagnostics),
      var reader = MappingReader(node, path: "sensors.s", name: "s", diagnostics: diagnostics),
      let sensor = SensorOptions(from: &reader, name: "s")
    else { throw RoundError(diagnostics.errors.map(\.message).joined(separator: "\n")) }
    return sensor
  }
}
