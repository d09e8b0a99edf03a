internal import Hardware
public import Telemetry

extension PortListing {
  /// `{"udev":true,"devices":[…],"ports":[…]}`; docs/ports.md explains each member.
  public var json: JSON {
    var members: [JSON.Member] = [
      .init("udev", .bool(hasUdev)), .init("devices", .array(lines.map(Self.json))),
    ]
    if isConfigured { members.append(.init("ports", .array(ports.map(Self.json)))) }
    return .object(members)
  }

  private static func json(_ line: Line) -> JSON {
    let device = line.device
    var members: [JSON.Member] = [
      .init("node", .string(device.node)), .init("links", .array(device.links.map(JSON.string))),
      .init("vendor", text(device.vendor)), .init("product", text(device.product)),
      .init("serial", text(device.serial)),
      .init("interface", device.interface.map { .integer(Int64($0)) } ?? .null),
      .init("driver", text(device.driver)), .init("description", text(device.model)),
      .init("port", text(line.port)), .init("remarks", .array(line.remarks.map(JSON.string))),
      .init("may_open", .bool(line.mayOpen)), .init("console", .bool(device.isConsole)),
      .init(
        "used_by",
        .array(
          line.users.map { .object([.init("pid", .integer(Int64($0.pid))), .init("name", .string($0.name))]) })),
      .init("match", text(line.match?.yaml)),
    ]
    let properties = device.properties.sorted { $0.key < $1.key }
    members.append(.init("properties", .object(properties.map { .init($0.key, .string($0.value)) })))
    return .object(members)
  }

  private static func json(_ port: Port) -> JSON {
    .object([
      .init("name", .string(port.name)), .init("location", .string("\(port.location)")),
      .init("state", .string(port.state.rawValue)), .init("node", text(port.node)), .init("reason", text(port.reason)),
    ])
  }

  private static func text(_ text: String?) -> JSON { text.map(JSON.string) ?? .null }

  /// Two tables, for a terminal.
  public var text: String {
    // Devices say their own names, and a person's terminal shows them.
    var rows = [["DEVICE", "ID", "SERIAL", "IF", "DRIVER", "PORT", "USED BY"]]
    for line in lines {
      let device = line.device
      rows.append([
        device.node, device.usbID ?? "", device.serial ?? "", device.interface.map(String.init) ?? "",
        device.driver ?? "", line.port ?? "free", line.users.map { "\($0)" }.joined(separator: ", "),
      ])
    }
    var output: [String] = []
    for (row, line) in zip(Self.table(rows), [nil] + lines.map(Optional.some)) {
      output.append(row)
      if let line { output += Self.details(line) }
    }
    if lines.isEmpty { output.append("no serial line is there") }
    if !hasUdev {
      output += ["", "udev's database is not there: links and properties such as ID_PATH are missing"]
    }
    guard isConfigured else { return output.joined(separator: "\n") }
    var portRows = [["PORT", "WHERE", "STATE", "DEVICE"]]
    for port in ports { portRows.append([port.name, "\(port.location)", port.state.rawValue, port.node ?? ""]) }
    output.append("")
    for (row, port) in zip(Self.table(portRows), [nil] + ports.map(Optional.some)) {
      output.append(row)
      if let reason = port?.reason { output.append("  \(oneLine(reason))") }
    }
    if ports.isEmpty { output.append("the configuration has no port") }
    return output.joined(separator: "\n")
  }

  private static func details(_ line: Line) -> [String] {
    var details = line.device.model.map { [$0] } ?? []
    details += line.device.links
    if let match = line.match { details.append("match: \(match.yaml)") }
    details += line.remarks
    return details.map { "  \(oneLine($0))" }
  }

  /// Columns as wide as what stands in them.
  private static func table(_ rows: [[String]]) -> [String] {
    let rows = rows.map { $0.map(oneLine) }
    let widths = rows.reduce(into: [Int]()) { widths, row in
      for (index, cell) in row.enumerated() {
        if index == widths.count { widths.append(0) }
        widths[index] = max(widths[index], cell.count)
      }
    }
    return rows.map { row in
      let last = row.lastIndex { !$0.isEmpty } ?? 0
      return row.prefix(last + 1).enumerated().map { index, cell in
        index == last ? cell : cell + String(repeating: " ", count: widths[index] - cell.count + 2)
      }.joined()
    }
  }
}
