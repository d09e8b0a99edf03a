/// One of the demo's sensors: what it sends, how, and what the daemon is told about it.
struct DemoSensor: Sendable {
  var name: String
  var port: String
  var timing: WireTiming
  var rate: Double
  /// Its lines; the first name is the line's number.
  var template: SensorTemplate
  /// The daemon's option that reads them.
  var format: String
  var description: String

  /// An Arduino behind a USB adapter and a meter on a slow line.
  static let all: [DemoSensor] = [
    make(
      "climate", port: "arduino", .usbAdapter(baud: 115_200), rate: 25, "N={n},T={temperature},H={humidity}",
      format: #"template: "N={n},T={temperature},H={humidity}""#, "115200 baud, USB adapter"),
    make(
      "meter", port: "meters", .uart(baud: 9600), rate: 8, "{count},{voltage},{power}",
      format: "csv: [count, voltage, power]", "9600 baud"),
  ].compactMap { $0 }

  private static func make(
    _ name: String, port: String, _ timing: WireTiming, rate: Double, _ template: String, format: String,
    _ description: String
  ) -> DemoSensor? {
    SensorTemplate(template).map {
      DemoSensor(
        name: name, port: port, timing: timing, rate: rate, template: $0, format: format, description: description)
    }
  }

  /// The key under which the server has a name's values.
  func key(_ name: String) -> String { "\(self.name).\(name)" }

  /// The key whose values are the lines' numbers.
  var numberKey: String { key(template.names[0]) }
}
