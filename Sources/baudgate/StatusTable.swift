internal import Telemetry

/// The status document laid out for a terminal.
struct StatusTable {
  private let report: JSON

  init(_ report: JSON) { self.report = report }

  var text: String {
    var lines = [report["summary"].map(Self.plain) ?? "", ""]
    lines += sensors
    lines += ["", "PORT             STATE        SETTINGS        RECEIVED  RE-OPENED  LAST ERROR"]
    for port in members("ports") {
      lines.append(
        row([
          (port.name, 17), (word(port.value, "state"), 13), (word(port.value, "settings"), 16),
          (word(port.value, "bytes_received"), 10), (word(port.value, "reopened"), 11),
          (word(port.value, "last_error"), 0),
        ]))
    }
    lines += ["", "QUEUE   " + facts("queue"), "UPLINK  " + facts("uplink")]
    return lines.joined(separator: "\n")
  }

  private var sensors: [String] {
    var lines = ["SENSOR           AGE           SAMPLES    ERRORS  VALUES"]
    for sensor in members("sensors") {
      lines.append(
        row([
          (sensor.name, 17), (age(sensor.value), 14), (word(sensor.value, "samples"), 11),
          (word(sensor.value, "errors"), 8), (values(sensor.value), 0),
        ]))
      if let error = sensor.value["last_error"] { lines.append("                 last error: \(Self.plain(error))") }
    }
    return lines
  }

  private func values(_ sensor: JSON) -> String {
    guard case .object(let members) = sensor["values"] else { return "" }
    return members.map { member in
      let unit = sensor["units"]?[member.name].map { " \(Self.plain($0))" } ?? ""
      return "\(oneLine(member.name))=\(Self.plain(member.value))\(unit)"
    }.joined(separator: "  ")
  }

  private func facts(_ section: String) -> String {
    members(section).map { "\($0.name)=\(Self.plain($0.value))" }.joined(separator: "  ")
  }

  private func members(_ section: String) -> [JSON.Member] {
    guard case .object(let members) = report[section] else { return [] }
    return members
  }

  private func word(_ object: JSON, _ name: String) -> String { object[name].map(Self.plain) ?? "" }

  private func age(_ sensor: JSON) -> String {
    let mark = sensor["stale"] == .bool(true) ? " stale" : ""
    guard case .integer(let milliseconds) = sensor["age_ms"] else { return "never" + mark }
    return (milliseconds < 10_000 ? "\(milliseconds) ms" : "\(milliseconds / 1000) s") + mark
  }

  private static func plain(_ value: JSON) -> String {
    // Sensors and servers say what stands here, and a person's terminal shows it.
    if case .string(let text) = value { return oneLine(text) }
    return oneLine(value.text)
  }

  private func row(_ cells: [(text: String, width: Int)]) -> String {
    cells.map { cell in
      cell.text + String(repeating: " ", count: max(cell.width == 0 ? 0 : 1, cell.width - cell.text.count))
    }.joined()
  }
}
