public import Hardware

extension PortListing {
  /// Looks at what is there. Opens no line, so that no DTR rises; reads sysfs, udev's database, `/proc` and the nodes'
  /// permissions.
  ///
  /// - Parameter ports: Those of the configuration; `nil` without one.
  public static func read(_ ports: [(name: String, options: SerialOptions)]?) -> PortListing {
    var devices = TTYInventory().devices()
    let links = nodeLinks()
    for index in devices.indices where devices[index].links.isEmpty {
      devices[index].links = links[devices[index].node] ?? []
    }
    var surroundings = Surroundings()
    surroundings.resolve = { path in
      guard let node = KernelTree.resolved(path), let number = DeviceNumber(ofNode: node) else { return nil }
      return (node, number)
    }
    var nodes = Set(devices.map(\.node))
    for (_, options) in ports ?? [] {
      if case .path(let path) = options.location, let node = KernelTree.resolved(path) { nodes.insert(node) }
    }
    surroundings.users = NodeUser.all(of: nodes)
    for node in nodes { surroundings.access[node] = NodeAccess(of: node) }
    surroundings.user = .deciding()
    surroundings.hasUdev = KernelTree.exists("/run/udev/data")
    return PortListing(devices, ports: ports, in: surroundings)
  }

  /// Links that are there without udev's database: a container may have the host's `/dev`.
  private static func nodeLinks() -> [String: [String]] {
    var links: [String: [String]] = [:]
    for directory in ["/dev/serial/by-id", "/dev/serial/by-path"] {
      for name in KernelTree.names(in: directory).sorted() {
        let link = "\(directory)/\(name)"
        if let node = KernelTree.resolved(link) { links[node, default: []].append(link) }
      }
    }
    return links
  }
}
