internal import Hardware
internal import Telemetry
internal import ThingsBoard
internal import YAML

/// What concerns several sections: names that one defines and another uses.
///
/// References are taken from the file rather than from what was read, so that a section refused for another reason is
/// checked as well.
struct CrossChecks {
  let root: YAMLNode
  let diagnostics: Diagnostics
  let ports: Ports
  let sensors: SensorList
  let lines: GPIOLines

  /// - Parameters:
  ///   - server: `nil` where it was refused.
  ///   - rpc: `nil` where it was refused or is not there.
  func run(_ server: ServerOptions?, _ downlink: DownlinkOptions, _ rpc: RPCOptions?) {
    // Where the server was refused, the mistake is told of and this is no news.
    let takesCommands = server.map { GatewayConfiguration.takesCommands($0, downlink) } ?? true
    sensors.check(against: ports, opensAll: takesCommands, diagnostics)
    checkKeys()
    for method in RPCOptions.bindable {
      lines.check(
        section("rpc", "bind", method), "rpc.bind.\(method)", needs: method == "setValue" ? .output : nil, diagnostics)
    }
    lines.check(section("claim", "button"), "claim.button", needs: .input, diagnostics)
    for entry in section("rpc", "alias")?.entries ?? [] { checkAlias(entry) }
    if server?.transport == .httpIntegration { checkIntegration() }
    if let rpc, downlink.rpc == .off, !rpc.bind.isEmpty || !rpc.alias.isEmpty || !rpc.run.isEmpty,
      let key = root.key("rpc")
    {
      diagnostics.warning(at: key, "rpc has commands, but downlink.rpc is off and none will come")
    }
    if sensors.entries.isEmpty, lines.entries.isEmpty, section("rpc", "call") == nil, diagnostics.errorCount == 0 {
      diagnostics.warning(at: root, "there are no sensors; nothing will be sent")
    }
  }

  private func section(_ names: String...) -> YAMLNode? {
    names.reduce(root) { node, name in node?.member(name) }
  }

  // MARK: Keys

  private func checkKeys() {
    var owners = KeyOwners()
    for entry in sensors.entries {
      for key in entry.options?.keys ?? [] {
        owners.add(
          key, of: entry.node.path, at: entry.node.key, remedy: "set prefix: true on one of them", diagnostics)
      }
    }
    // A level is sent under its line's name.
    for line in lines.entries where line.options?.direction == .input {
      guard let key = try? Key(line.name) else { continue }
      owners.add(key, of: "gpio.lines.\(line.name)", at: line.key, remedy: "rename the line", diagnostics)
    }
    for call in section("rpc", "call")?.entries ?? [] {
      for value in call.value.member("values")?.entries ?? [] {
        guard let key = try? Key(value.name) else { continue }
        owners.add(key, of: "rpc.call.\(call.name)", at: value.key, remedy: "rename it", diagnostics)
      }
    }
  }

  // MARK: Aliases

  /// Warns of an alias that can only fail: the server would get an error each time.
  private func checkAlias(_ alias: YAMLNode.Entry) {
    guard let method = alias.value.member("method")?.text else { return }
    let path = "rpc.alias.\(alias.name)"
    if RPCOptions.bindable.contains(method), section("rpc", "bind", method) == nil {
      diagnostics.warning(
        at: alias.key, "\(path) means \(quoted(method)), which rpc.bind binds to no line: it will be refused")
    }
    guard let (member, place, names) = target(of: method),
      let node = alias.value.member("params")?.member(member), let name = node.text, !names.contains(name),
      // A line's number is no name.
      method == "run" || UInt32(name) == nil,
      // Nobody reads more, and finding near words takes time.
      diagnostics.warningCount < Diagnostics.limit
    else { return }
    let known = names.isEmpty ? "\(place) has none" : "\(place) has \(listed(names))"
    let near = nearestWord(to: name, among: names).map { "; did you mean \(quoted($0))?" } ?? ""
    diagnostics.warning(
      at: node, "\(path).params.\(member) is \(quoted(name)): it will be refused; \(known)\(near)")
  }

  /// What of a method's params names something in this file, and the names there are.
  private func target(of method: String) -> (member: String, place: String, names: [String])? {
    switch method {
    case "setGpio", "getGpio", "setGpioStatus", "pulseGpio": ("pin", "gpio.lines", lines.entries.map(\.name))
    case "readNow": ("sensor", "sensors", sensors.entries.map(\.node.name))
    case "serialWrite": ("port", "ports", ports.names)
    case "run": ("command", "rpc.run", section("rpc", "run")?.entries?.map(\.name) ?? [])
    default: nil
    }
  }

  // MARK: Transport

  /// The HTTP integration takes readings under the device's name; nothing comes back.
  private func checkIntegration() {
    let reason = "needs server.transport device_api: the HTTP integration only takes readings"
    if let device = root.member("device"), device.entries != nil {
      if device.member("name") == nil {
        diagnostics.error(
          at: device,
          "device has no \"name\", which server.transport http_integration needs: readings are sent under it")
      }
      if let key = device.key("provision") { diagnostics.error(at: key, "device.provision \(reason)") }
    }
    if let key = root.key("claim") { diagnostics.error(at: key, "claim \(reason)") }
    if let key = section("rpc")?.key("call") { diagnostics.error(at: key, "rpc.call \(reason)") }
  }
}

extension YAMLNode {
  /// The entries of a mapping; `nil` for anything else.
  var entries: [Entry]? {
    if case .mapping(let entries) = value { entries } else { nil }
  }

  /// The value under `name`, if this is a mapping that has it.
  func member(_ name: String) -> YAMLNode? { entries?.first { $0.name == name }?.value }

  /// Where `name` itself stands, if this is a mapping that has it.
  func key(_ name: String) -> YAMLNode? { entries?.first { $0.name == name }?.key }
}
