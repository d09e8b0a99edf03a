public import Hardware

/// The serial lines that are there and the ports of a configuration, and which belongs to which: `baudgate ports`.
///
/// A value: what it is made from was read by `PortListing.read`, or written by a test.
public struct PortListing: Sendable {
  /// A line that is there.
  public struct Line: Sendable {
    public var device: TTYDevice
    /// The port of the configuration that takes it.
    public var port: String?
    /// Why no port takes it, or what keeps the one that does from using it; empty when all is well.
    public var remarks: [String] = []
    public var users: [NodeUser] = []
    public var mayOpen = true
    /// What stands behind `match:` to find this device and none of the others here; `nil` for what is no USB device, and
    /// where nothing tells it apart.
    public var match: PortMatch?
  }

  /// A port of the configuration.
  public struct Port: Sendable {
    public enum State: String, Sendable {
      case found
      case absent
      case ambiguous
      case claimed
      case forbidden
      case inUse = "in_use"
      /// A serial server: nothing is looked for here.
      case remote
    }

    public var name: String
    public var location: PortLocation
    public var state: State
    /// The node it has, or would have.
    public var node: String?
    /// Why it has none.
    public var reason: String?
  }

  /// What is known beside the devices themselves.
  struct Surroundings {
    /// The node a path leads to, and its number; `nil` where nothing is.
    var resolve: (_ path: String) -> (node: String, number: DeviceNumber)? = { _ in nil }
    /// By node.
    var users: [String: [NodeUser]] = [:]
    var access: [String: NodeAccess] = [:]
    /// Who has to open them; `nil` where nobody knows.
    var user: NodeAccess.User?
    /// Whether udev's database was there to be read.
    var hasUdev = true
  }

  public private(set) var lines: [Line]
  public private(set) var ports: [Port] = []
  public let hasUdev: Bool
  let isConfigured: Bool

  /// - Parameter ports: Those of the configuration, in its order, which decides who is first; `nil` without one.
  init(_ devices: [TTYDevice], ports: [(name: String, options: SerialOptions)]?, in surroundings: Surroundings) {
    hasUdev = surroundings.hasUdev
    isConfigured = ports != nil
    lines = devices.map { device in
      var line = Line(device: device)
      line.users = surroundings.users[device.node] ?? []
      line.match = PortMatch(tellingApart: device, from: devices)
      if let access = surroundings.access[device.node], let user = surroundings.user {
        line.mayOpen = access.admits(user)
      }
      return line
    }
    var holders: [DeviceNumber: String] = [:]
    for (name, options) in ports ?? [] {
      var port = Port(name: name, location: options.location, state: .found)
      find(&port, devices, surroundings, &holders)
      self.ports.append(port)
    }
    for index in lines.indices { remark(at: index, surroundings) }
  }

  private mutating func find(
    _ port: inout Port, _ devices: [TTYDevice], _ surroundings: Surroundings, _ holders: inout [DeviceNumber: String]
  ) {
    let number: DeviceNumber
    switch port.location {
    case .tcp:
      port.state = .remote
      return
    case .path(let path):
      guard let place = surroundings.resolve(path) else {
        (port.state, port.reason) = (.absent, "\(path) is not there: not plugged in, or its name has changed")
        return
      }
      (port.node, number) = place
    case .match(let match):
      let fitting = devices.filter(match.fits)
      guard let device = fitting.first, fitting.count == 1 else {
        let error = fitting.isEmpty ? PortError.absent(match, among: devices) : .ambiguous(match, fitting)
        (port.state, port.reason) = (fitting.isEmpty ? .absent : .ambiguous, error.message)
        for other in fitting { note("ports.\(port.name) fits it and others, so takes none", on: other.number) }
        return
      }
      (port.node, number) = (device.node, device.number)
    }
    let node = port.node ?? ""
    if let holder = holders[number] {
      (port.state, port.reason) = (.claimed, PortError.claimed(port.location, node, by: holder).message)
      note("ports.\(port.name) wants it too", on: number)
      return
    }
    holders[number] = port.name
    for index in lines.indices where lines[index].device.number == number { lines[index].port = port.name }
    if let access = surroundings.access[node], let user = surroundings.user, !access.admits(user) {
      (port.state, port.reason) = (.forbidden, Self.words(of: access, user, node))
    }
    let others = (surroundings.users[node] ?? []).filter { $0.name != Self.daemon }
    if let other = others.first {
      (port.state, port.reason) = (.inUse, "\(node) is in use by \(other): stop it, or keep it off this device")
    }
  }

  /// The daemon's own use of a line is what the line is there for.
  private static let daemon = "baudgated"

  private static func words(of access: NodeAccess, _ user: NodeAccess.User, _ node: String) -> String {
    let mode = String(access.mode, radix: 8)
    let start = "the user \(user.name) may not open \(node) (group \(access.groupName), mode 0\(mode))"
    let isGroups = access.mode & 0o060 == 0o060
    return isGroups ? "\(start); add it to the group \(access.groupName)" : "\(start); a udev rule gives it to a group"
  }

  private mutating func note(_ remark: String, on number: DeviceNumber) {
    for index in lines.indices where lines[index].device.number == number { lines[index].remarks.append(remark) }
  }

  private mutating func remark(at index: Int, _ surroundings: Surroundings) {
    let line = lines[index]
    if line.port == nil, line.remarks.isEmpty, isConfigured {
      lines[index].remarks.append("no port of the configuration asks for it")
    }
    if line.device.isConsole {
      lines[index].remarks.append(
        "the kernel writes its messages to it; take its console= off the kernel's command line")
    }
    if !line.mayOpen, let access = surroundings.access[line.device.node], let user = surroundings.user {
      lines[index].remarks.append(Self.words(of: access, user, line.device.node))
    }
  }
}
