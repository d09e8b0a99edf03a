internal import Telemetry

/// The status document laid out for a terminal.
struct StatusTable {
  private let report: JSON

  init(_ report: JSON) { self.report = report }

  var text: String {
    var lines = [report["summary"].map(Self.plain) ?? "", ""]
    lines += sensors
    lines += ["", "PORT             STATE        DEVICE          SETTINGS        RECEIVED  RE-OPENED  LAST ERROR"]
    for port in members("ports") {
      lines.append(
        row([
          (port.name, 17), (word(port.value, "state"), 13),
          (port.value["device"] == .null ? "" : word(port.value, "device"), 16), (word(port.value, "settings"), 16),
          (word(port.value, "bytes_received"), 10), (word(port.value, "reopened"), 11),
          (word(port.value, "last_error"), 0),
        ]))
    }
    lines += units + gpio + calls + devices + updates + [""]
    for (title, section) in Self.sections where report[section] != nil {
      lines.append(row([(title, 14), (facts(section), 0)]))
    }
    return lines.joined(separator: "\n")
  }

  /// Sections of which one line suffices, those there are.
  private static let sections = [
    ("QUEUE", "queue"), ("UPLINK", "uplink"), ("PROVISIONING", "provisioning"), ("COMMANDS", "commands"),
    ("SHARED", "shared_attributes"), ("CLIENT", "client_attributes"), ("REMOTE", "remote_configuration"),
    ("RECOVERY", "recovery"),
  ]

  /// Of all buses, with what those say that do not answer.
  private var units: [String] {
    var lines: [String] = []
    for port in members("ports") {
      guard case .object(let units) = port.value["units"] else { continue }
      for unit in units {
        lines.append(
          row([
            ("\(oneLine(port.name)) \(oneLine(unit.name))", 17), (word(unit.value, "asked"), 11),
            (word(unit.value, "answered"), 11), (word(unit.value, "timeouts"), 10), (word(unit.value, "late"), 8),
            ("\(word(unit.value, "longest_answer_ms")) ms", 10), (silence(unit.value), 0),
          ]))
      }
    }
    return lines.isEmpty
      ? [] : ["", "BUS AND UNIT     ASKED      ANSWERED   TIMEOUTS  LATE    LONGEST   SILENT"] + lines
  }

  private func silence(_ unit: JSON) -> String {
    guard case .integer(let silent) = unit["silent_ms"] else { return "" }
    guard case .integer(let rest) = unit["set_aside_ms"], rest > 0 else { return "\(silent / 1000) s" }
    return "\(silent / 1000) s, asked again in \(rest / 1000 + 1) s"
  }

  private var gpio: [String] {
    let entries = members("gpio")
    if entries.isEmpty { return [] }
    return ["", "GPIO             LINE  DIRECTION  VALUE   CHANGES  LAST ERROR"]
      + entries.map { line in
        let measured = line.value["total"] ?? line.value["measured"]
        let value =
          line.value["value"].map { $0 == .bool(true) ? "on" : "off" } ?? measured.map(Self.plain) ?? "unknown"
        return row([
          (oneLine(line.name), 17), (word(line.value, "line"), 6), (word(line.value, "direction"), 11), (value, 8),
          (word(line.value, "changes"), 9), (word(line.value, "last_error"), 0),
        ])
      }
  }

  private var calls: [String] {
    let entries = members("calls")
    if entries.isEmpty { return [] }
    return ["", "CALL             CALLS      ANSWERS    ERRORS  LAST ERROR"]
      + entries.map { call in
        row([
          (oneLine(call.name), 17), (word(call.value, "calls"), 11), (word(call.value, "answers"), 11),
          (word(call.value, "errors"), 8), (word(call.value, "last_error"), 0),
        ])
      }
  }

  private var devices: [String] {
    let entries = members("devices")
    if entries.isEmpty { return [] }
    return ["", "DEVICE           UPLINK       DELIVERED  WAITING  COMMANDS     LAST ERROR"]
      + entries.map { device in
        let (uplink, queue) = (device.value["uplink"] ?? .null, device.value["queue"] ?? .null)
        let commands = device.value["commands"] ?? .null
        let failing = uplink["failing"] == .bool(true) || commands["failing"] == .bool(true)
        let state = device.value["credential"] == .bool(false) ? "no credential" : word(uplink, "state")
        let error = word(uplink, "last_error").isEmpty ? word(commands, "last_error") : word(uplink, "last_error")
        return row([
          (oneLine(device.name), 17), (state, 13), (word(uplink, "delivered"), 11), (word(queue, "records"), 9),
          (word(commands, "state"), 13), (failing ? error : "", 0),
        ])
      }
  }

  private var updates: [String] {
    let entries = members("updates")
    if entries.isEmpty { return [] }
    return ["", "UPDATE           STATE        TITLE            VERSION       BYTES       OF          ERROR"]
      + entries.map { update in
        row([
          (oneLine(update.name), 17), (word(update.value, "state"), 13), (word(update.value, "title"), 17),
          (word(update.value, "version"), 14), (word(update.value, "bytes"), 12), (word(update.value, "size"), 12),
          (word(update.value, "last_error"), 0),
        ])
      }
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

  /// What is nested, such as the shared attributes themselves, is for `--json`.
  private func facts(_ section: String) -> String {
    members(section).compactMap { member in
      if case .object = member.value { return nil }
      return "\(member.name)=\(Self.plain(member.value))"
    }.joined(separator: "  ")
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
