internal import Sensors
internal import YAML

/// `sensors:`, and where each name stands.
struct SensorList {
  struct Entry {
    let node: NamedNode
    /// `nil` where the entry was refused.
    let options: SensorOptions?
    let owner: Owner

    /// Whether it is read; one that was refused would have been.
    var isEnabled: Bool { options?.isEnabled ?? true }
  }

  static let limit = 4096

  private(set) var entries: [Entry] = []

  /// By owner, in the order of the file.
  private(set) var names: [Owner: [String]] = [:]

  var usable: [SensorOptions] { entries.compactMap(\.options) }

  init(from root: inout MappingReader) {
    for node in root.namedEntries("sensors", atMost: Self.limit) {
      checkName(of: node, root.diagnostics)
      var options: SensorOptions?
      if var reader = node.reader(root.diagnostics) { options = SensorOptions(from: &reader, name: node.name) }
      entries.append(Entry(node: node, options: options, owner: Owner(of: node.value)))
    }
    names = Dictionary(grouping: entries, by: \.owner).mapValues { $0.map(\.node.name) }
  }

  /// Whose the sensor `name` is; `nil` where there is no such sensor.
  func owner(of name: String) -> Owner? { entries.first { $0.node.name == name }?.owner }

  /// Reports names without a port, ports without a name and mixed protocols.
  ///
  /// - Parameter opensAll: Whether a port without a sensor is opened all the same, for commands.
  func check(against ports: Ports, opensAll: Bool, _ diagnostics: Diagnostics) {
    checkPorts(ports, opensAll, diagnostics)
    checkProtocols(diagnostics)
  }

  private func checkPorts(_ ports: Ports, _ opensAll: Bool, _ diagnostics: Diagnostics) {
    let names = ports.names
    var used: Set<String> = []
    for entry in entries {
      // Taken from the file, so that an entry refused for another reason is checked as well.
      guard let node = entry.node.value.member("port"), let port = node.text, !node.isNull else { continue }
      if entry.isEnabled { used.insert(port) }
      guard !names.contains(port) else { continue }
      let known = names.isEmpty ? "there are no ports" : "ports has \(listed(names))"
      let near = nearestWord(to: port, among: names).map { "; did you mean \(quoted($0))?" } ?? ""
      diagnostics.error(at: node, "\(entry.node.path).port is \(quoted(port)); \(known)\(near)")
    }
    guard !opensAll else { return }
    for port in ports.entries where !used.contains(port.node.name) && port.options != nil {
      diagnostics.warning(at: port.node.key, "\(port.node.path) has no sensor and, without commands, stays closed")
    }
  }

  private func checkProtocols(_ diagnostics: Diagnostics) {
    var first: [String: Entry] = [:]
    for entry in entries {
      guard let options = entry.options, let port = options.port else { continue }
      guard let other = first[port], let spoken = other.options?.protocolName else {
        first[port] = entry
        continue
      }
      guard spoken != options.protocolName else { continue }
      diagnostics.error(
        at: entry.node.value.member("protocol") ?? entry.node.key,
        "\(entry.node.path).protocol is \(quoted(options.protocolName)), but \(other.node.path) on line "
          + "\(other.node.key.line) speaks \(quoted(spoken)) on the same port \(quoted(port))")
    }
  }
}
