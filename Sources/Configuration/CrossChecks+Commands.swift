internal import YAML

/// `rpc` of the gateway and of each device: the lines, sensors, ports and programs it speaks of.
extension CrossChecks {
  /// - Parameters:
  ///   - node: The mapping that may have `rpc`.
  ///   - downlink: The owner's; `nil` where it was refused.
  ///   - options: What was read; `nil` where it was refused or is not there.
  func checkCommands(of owner: Owner, in node: YAMLNode, _ downlink: DownlinkOptions?, _ options: RPCOptions?) {
    guard let rpc = node.member("rpc") else { return }
    for method in RPCOptions.bindable {
      lines.check(
        rpc.member("bind")?.member(method), owner.path(of: "rpc.bind.\(method)"),
        needs: method == "setValue" ? .output : nil, of: owner, diagnostics)
    }
    for entry in rpc.member("alias")?.entries ?? [] { checkAlias(entry, of: owner, among: rpc) }
    if let options, downlink?.rpc == .off, !options.bind.isEmpty || !options.alias.isEmpty || !options.run.isEmpty,
      let key = node.key("rpc")
    {
      let (commands, way) = (owner.path(of: "rpc"), owner.path(of: "downlink.rpc"))
      diagnostics.warning(at: key, "\(commands) has commands, but \(way) is off and none will come")
    }
  }

  // MARK: Aliases

  /// Warns of an alias that can only fail: the server would get an error each time.
  private func checkAlias(_ alias: YAMLNode.Entry, of owner: Owner, among rpc: YAMLNode) {
    guard let method = alias.value.member("method")?.text else { return }
    let path = owner.path(of: "rpc.alias.\(alias.name)")
    if RPCOptions.bindable.contains(method), rpc.member("bind")?.member(method) == nil {
      let bind = owner.path(of: "rpc.bind")
      diagnostics.warning(
        at: alias.key, "\(path) means \(quoted(method)), which \(bind) binds to no line: it will be refused")
    }
    guard let target = target(of: method, owner, among: rpc),
      let node = alias.value.member("params")?.member(target.member), let name = node.text,
      !target.names.contains(name),
      // A line's number is no name.
      method == "run" || UInt32(name) == nil,
      // Nobody reads more, and finding near words takes time.
      diagnostics.warningCount < Diagnostics.limit
    else { return }
    let subject = "\(path).params.\(target.member) is \(quoted(name))"
    if let other = target.owner(name) {
      diagnostics.warning(at: node, "\(subject), which belongs to \(other): it will be refused")
      return
    }
    let known = target.names.isEmpty ? "\(target.place) has none" : "\(target.place) has \(listed(target.names))"
    let suffix = owner == .gateway ? "" : " of \(owner)"
    let near = nearestWord(to: name, among: target.names).map { "; did you mean \(quoted($0))?" } ?? ""
    diagnostics.warning(at: node, "\(subject): it will be refused; \(known)\(suffix)\(near)")
  }

  /// What of a method's params names something in this file.
  private struct Target {
    let member: String
    /// Where such names stand, as messages call it.
    let place: String
    /// Those that the alias may name.
    let names: [String]
    /// Whose a name is.
    var owner: (String) -> Owner? = { _ in nil }
  }

  private func target(of method: String, _ owner: Owner, among rpc: YAMLNode) -> Target? {
    switch method {
    case "setGpio", "getGpio", "setGpioStatus", "pulseGpio":
      Target(member: "pin", place: "gpio.lines", names: lines.names[owner] ?? [], owner: lines.owner)
    case "modbusRead", "modbusWrite":
      Target(member: "sensor", place: "sensors", names: sensors.names[owner] ?? [], owner: sensors.owner)
    case "readNow":
      Target(
        member: "sensor", place: "sensors", names: (sensors.names[owner] ?? []) + lines.metered(of: owner),
        owner: { [sensors, lines] in sensors.owner(of: $0) ?? lines.ownerOfMetered($0) })
    // Devices were refused these already.
    case "serialWrite" where owner == .gateway: Target(member: "port", place: "ports", names: ports.names)
    case "run" where owner == .gateway:
      Target(member: "command", place: "rpc.run", names: rpc.member("run")?.entries?.map(\.name) ?? [])
    default: nil
    }
  }
}
