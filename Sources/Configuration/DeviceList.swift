internal import ThingsBoard
internal import YAML

/// `devices:`, and where each name stands.
struct DeviceList {
  struct Entry {
    let name: String
    /// Where the name stands.
    let key: YAMLNode
    let value: YAMLNode
    /// `nil` where the entry was refused; its name is known all the same.
    let options: ConnectedDevice?

    var owner: Owner { .device(name) }
  }

  private(set) var entries: [Entry] = []
  private var names: Set<String> = []

  var usable: [ConnectedDevice] { entries.compactMap(\.options) }

  /// - Parameters:
  ///   - server: `nil` where it was refused.
  ///   - downlink: The gateway's own.
  init(
    from root: inout MappingReader, _ server: ServerOptions?, _ downlink: DownlinkOptions, in surroundings: Surroundings
  ) {
    // What stands in the section's place may be a token.
    guard root.mapping("devices", isSecret: true, mayBeEmpty: true) != nil else { return }
    for node in root.namedEntries("devices", atMost: ConnectedDevice.limit) {
      if let name = Self.nameBeforeColon(of: node) {
        root.diagnostics.error(at: node.key, "a space is missing after the colon of \(quoted(name)) in devices")
        add(Entry(name: name, key: node.key, value: node.value, options: nil))
        continue
      }
      checkName(of: node, root.diagnostics)
      if node.name == Self.ownName {
        root.diagnostics.error(
          at: node.key, "\(quoted(node.name)) cannot be a device's name: the gateway itself is called so")
      }
      var options: ConnectedDevice?
      if var reader = node.reader(root.diagnostics, isSecret: true) {
        options = ConnectedDevice(from: &reader, named: node.name, server, downlink, in: surroundings)
      }
      add(Entry(name: node.name, key: node.key, value: node.value, options: options))
    }
  }

  /// What the gateway's own queue and its line in the status are called.
  private static let ownName = "gateway"

  private mutating func add(_ entry: Entry) {
    entries.append(entry)
    names.insert(entry.name)
  }

  /// `{pump:abc}` is one name to YAML, and its second half may be a token.
  private static func nameBeforeColon(of node: NamedNode) -> String? {
    guard node.value.isNull, let colon = node.name.firstIndex(of: ":") else { return nil }
    return String(node.name[..<colon])
  }

  // MARK: References

  /// Reports a reference to a device that is not there.
  ///
  /// - Parameters:
  ///   - node: The mapping of the sensor or the line that may have `device`; what is not text was reported by who read
  ///     it.
  ///   - path: What messages call it, `sensors.climate`.
  func checkReference(in node: YAMLNode, _ path: String, _ diagnostics: Diagnostics) {
    guard case .device(let name) = Owner(of: node), !names.contains(name), let place = node.member("device")
    else { return }
    // Nobody reads more, and finding near words takes time.
    guard diagnostics.errorCount < Diagnostics.limit else {
      diagnostics.error(at: place, "\(path).device is \(quoted(name)), which is no device")
      return
    }
    let all = entries.map(\.name)
    let known = all.isEmpty ? "there are no devices" : "devices has \(listed(all))"
    let near = nearestWord(to: name, among: all).map { "; did you mean \(quoted($0))?" } ?? ""
    let hint = name == Self.ownName ? "; without \"device\" it is the gateway's own" : near
    diagnostics.error(at: place, "\(path).device is \(quoted(name)); \(known)\(hint)")
  }

  // MARK: Two that are one to the server

  /// Reports devices the server could not tell apart. `gateway` is the gateway's own, where it was not refused.
  func checkIdentities(
    _ gateway: DeviceOptions?, at root: YAMLNode, _ server: ServerOptions?, _ diagnostics: Diagnostics
  ) {
    var all = entries.compactMap { entry in
      entry.options.map { (path: "\(entry.owner)", key: entry.key, value: entry.value, device: $0.device) }
    }
    if let gateway, let key = root.key("device"), let value = root.member("device") {
      all.insert(("device", key, value, gateway), at: 0)
    }
    // The integration's key is the same for all whose readings it takes; it goes by their names.
    let goesByName = server?.transport == .httpIntegration
    var tokens: [String: (path: String, line: Int)] = [:]
    var names: [String: (path: String, line: Int)] = [:]
    for (path, key, value, device) in all {
      switch device.identity {
      case .token(let credential) where !goesByName:
        // Compared, never shown. The placeholder stands for one that was not read, or not yet filled in.
        let token = credential.token.reveal()
        guard token != DeviceCredential.placeholder else { continue }
        guard let other = tokens.updateValue((path, key.line), forKey: token) else { continue }
        diagnostics.error(
          at: DeviceCredential.kinds.lazy.compactMap { value.member($0) }.first ?? key,
          "\(path) has the same token as \(other.path) on line \(other.line) (not shown); "
            + "each device needs a token of its own")
      case .token, .provision:
        guard let name = device.name, let other = names.updateValue((path, key.line), forKey: name) else { continue }
        let reason = goesByName ? "readings are sent under it" : "the server gives one name to one device only"
        diagnostics.error(
          at: value.member("name") ?? key,
          "\(path) has the name \(quoted(name)), as \(other.path) on line \(other.line) has; \(reason)")
      }
    }
  }
}
