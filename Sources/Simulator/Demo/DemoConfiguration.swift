/// The configuration file the demo gives to the daemon.
struct DemoConfiguration {
  static let token = "DEMO_TOKEN_4b1f"

  var serverURL: String
  /// Has `state`, and the ports' links under their names.
  var directory: String
  var sensors: [DemoSensor]

  /// The simulated GPIO chip.
  var chip: String { "\(directory)/chip" }

  func link(of sensor: DemoSensor) -> String { "\(directory)/\(sensor.port)" }

  var yaml: String {
    var text = """
      server:
        url: \(serverURL)
      device:
        name: demo
        token: \(Self.token)
      state_directory: \(directory)/state
      gpio: {chip: "simulated:\(chip)", lines: {relay: {line: \(DemoRelay.line), direction: output}}}
      ports:

      """
    for sensor in sensors { text += "  \(sensor.port): {path: \(link(of: sensor)), baud: \(sensor.timing.baud)}\n" }
    text += "sensors:\n"
    for sensor in sensors {
      text += """
          \(sensor.name):
            port: \(sensor.port)
            protocol: line
            \(sensor.format)
            prefix: true

        """
    }
    return text
  }
}
