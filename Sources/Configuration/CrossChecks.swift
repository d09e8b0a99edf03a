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
  let devices: DeviceList

  /// - Parameters:
  ///   - server: `nil` where it was refused.
  ///   - device: `nil` where it was refused.
  ///   - rpc: `nil` where it was refused or is not there.
  ///   - ota: `nil` where it was refused or is not there.
  func run(
    _ server: ServerOptions?, _ device: DeviceOptions?, _ downlink: DownlinkOptions, _ rpc: RPCOptions?,
    _ ota: OTAOptions?
  ) {
    // Where the server was refused, the mistake is told of and this is no news.
    let takesCommands = server.map { GatewayConfiguration.takesCommands($0, downlink) } ?? true
    sensors.check(against: ports, opensAll: takesCommands, diagnostics)
    checkDevices()
    devices.checkIdentities(device, at: root, server, diagnostics)
    checkKeys()
    checkLadders()
    checkCommands(of: .gateway, in: root, downlink, rpc)
    for entry in devices.entries {
      checkCommands(of: entry.owner, in: entry.value, entry.options?.downlink, entry.options?.rpc)
    }
    // Whoever can press it stands at the board.
    lines.check(section("claim", "button"), "claim.button", needs: .input, diagnostics)
    if server?.transport == .httpIntegration {
      checkIntegration()
    } else if let ota, ota != OTAOptions(), downlink.sharedAttributes == .off, let key = root.key("ota") {
      diagnostics.warning(
        at: key, "ota takes packages, but downlink.shared_attributes is off and none will be assigned")
    }
    if !sensors.entries.contains(where: \.isEnabled), lines.entries.isEmpty, section("rpc", "call") == nil,
      diagnostics.errorCount == 0
    {
      let reason = sensors.entries.isEmpty ? "there are no sensors" : "no sensor is enabled"
      diagnostics.warning(at: root, "\(reason); nothing will be sent")
    }
  }

  func section(_ names: String...) -> YAMLNode? {
    names.reduce(root) { node, name in node?.member(name) }
  }

  // MARK: Devices

  private func checkDevices() {
    for entry in sensors.entries { devices.checkReference(in: entry.node.value, entry.node.path, diagnostics) }
    for line in lines.entries { devices.checkReference(in: line.value, "gpio.lines.\(line.name)", diagnostics) }
  }

  // MARK: Keys

  private func checkKeys() {
    var owners = KeyOwners()
    for entry in sensors.entries where entry.isEnabled {
      for key in entry.options?.keys ?? [] {
        owners.add(
          key, of: entry.owner, from: entry.node.path, at: entry.node.key, remedy: "set prefix: true on one of them",
          diagnostics)
      }
    }
    // A level is sent under its line's name, and so is a count, with more beside it.
    for line in lines.entries {
      for name in line.options?.keys ?? [] {
        guard let key = try? Key(name) else { continue }
        owners.add(
          key, of: line.owner, from: "gpio.lines.\(line.name)", at: line.key, remedy: "rename the line", diagnostics)
      }
    }
    for call in section("rpc", "call")?.entries ?? [] {
      for value in call.value.member("values")?.entries ?? [] {
        guard let key = try? Key(value.name) else { continue }
        owners.add(
          key, of: .gateway, from: "rpc.call.\(call.name)", at: value.key, remedy: "rename it", diagnostics)
      }
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
    for entry in devices.entries {
      guard let key = entry.value.key("provision") else { continue }
      diagnostics.error(at: key, "\(entry.owner.path(of: "provision")) \(reason)")
    }
    for name in ["claim", "ota"] {
      if let key = root.key(name) { diagnostics.error(at: key, "\(name) \(reason)") }
    }
    if let key = section("rpc")?.key("call") { diagnostics.error(at: key, "rpc.call \(reason)") }
  }
}

extension YAMLNode {
  /// The entries of a mapping; `nil` for anything else.
  var entries: [Entry]? {
    if case .mapping(let entries) = value { entries } else { nil }
  }

  /// The items of a list; `nil` for anything else.
  var items: [YAMLNode]? {
    if case .sequence(let items) = value { items } else { nil }
  }

  /// The value under `name`, if this is a mapping that has it.
  func member(_ name: String) -> YAMLNode? { entries?.first { $0.name == name }?.value }

  /// Where `name` itself stands, if this is a mapping that has it.
  func key(_ name: String) -> YAMLNode? { entries?.first { $0.name == name }?.key }
}
