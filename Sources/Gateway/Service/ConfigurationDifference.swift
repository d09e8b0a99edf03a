internal import Configuration
internal import Hardware
internal import Queue
internal import Sensors

/// What differs between two configurations, sorted by what is to be done about it; what is the same appears nowhere.
///
/// Names stand in the order of the new file, those that are gone in that of the old one. The order of entries alone is a
/// difference only where it means something: of a port's sensors the first that fits takes a line.
struct ConfigurationDifference: Sendable, Equatable {
  /// Parts of the configuration that one part of the daemon takes in place.
  enum Section: String, Sendable, CaseIterable {
    case upload, downlink, queue, gpio, rpc
    /// `rpc.call`
    case calls = "rpc.call"
    case claim, attributes, log, ota, remote
    case unreachable = "server.unreachable"
  }

  /// Options that are read at the start alone.
  enum Restart: String, Sendable, CaseIterable {
    case stateDirectory = "state_directory"
    case runtimeDirectory = "runtime_directory"
    case controlSocket = "control.socket"
    case hotDirectory = "queue.hot_directory"
  }

  // Ports that are open for a sensor, or for commands; the others are none of anybody's.
  var newPorts: [String] = []
  var gonePorts: [String] = []
  /// Their line differs.
  var reopenedPorts: [String] = []
  /// `silent:` differs, and the line does not.
  var silentPorts: [String] = []
  /// `gap`, `timeout` or `retries` differ, and the line does not.
  var busPorts: [String] = []
  /// Open before and after, with other sensors or other options of a sensor; may be re-opened, too.
  var sensorPorts: [String] = []

  // Sensors that are switched off count as not there.
  var newSensors: [String] = []
  var goneSensors: [String] = []
  var changedSensors: [String] = []

  var newDevices: [String] = []
  var goneDevices: [String] = []
  /// They are another device to the server: another credential, or another way to one.
  var replacedDevices: [String] = []
  /// The same device with other options.
  var changedDevices: [String] = []

  var newLines: [String] = []
  var goneLines: [String] = []
  var changedLines: [String] = []
  /// `gpio.interlocks`.
  var interlocks = false

  /// `server:`, but for `unreachable`: every way to the server is made anew.
  var server = false
  /// `device:`: the gateway's own way is made anew.
  var identity = false
  /// What commands may name differs, lines aside, or what they mean: a new router is needed.
  var commands = false
  var sections: Set<Section> = []
  /// What stays as it was until the next start.
  var restarts: [Restart] = []

  init() {}

  init(from old: GatewayConfiguration, to new: GatewayConfiguration) {
    comparePorts(old, new)
    compareSensors(old, new)
    compareDevices(old, new)
    compareLines(old, new)
    server = old.server != new.server
    identity = old.device != new.device
    compareSections(old, new)
    if old.stateDirectory != new.stateDirectory { restarts.append(.stateDirectory) }
    if old.runtimeDirectory != new.runtimeDirectory { restarts.append(.runtimeDirectory) }
    if old.controlSocket != new.controlSocket { restarts.append(.controlSocket) }
    if old.queue.hotDirectory != new.queue.hotDirectory { restarts.append(.hotDirectory) }
    commands =
      sections.contains(.rpc) || !Self.areSame(old.ports.map(\.name), new.ports.map(\.name))
      || Self.owners(old) != Self.owners(new)
      || old.gpio.lines.isEmpty != new.gpio.lines.isEmpty
  }

  var isEmpty: Bool { self == ConfigurationDifference() }

  /// Whether the gateway's own way to the server is made anew.
  var link: Bool { server || identity }

  // MARK: Comparing

  private mutating func comparePorts(_ old: GatewayConfiguration, _ new: GatewayConfiguration) {
    let (before, after) = (old.openPorts, new.openPorts)
    gonePorts = old.ports.map(\.name).filter { before[$0] != nil && after[$0] == nil }
    for (name, _) in new.ports {
      guard let options = after[name] else { continue }
      guard let known = before[name] else {
        newPorts.append(name)
        continue
      }
      if !options.opensLike(known) {
        reopenedPorts.append(name)
      } else {
        if options.silent != known.silent { silentPorts.append(name) }
        if options.bus != known.bus { busPorts.append(name) }
      }
      if old.sensors(on: name) != new.sensors(on: name) { sensorPorts.append(name) }
    }
  }

  private mutating func compareSensors(_ old: GatewayConfiguration, _ new: GatewayConfiguration) {
    (newSensors, goneSensors, changedSensors) = Self.compare(
      old.sensors.filter(\.isEnabled), new.sensors.filter(\.isEnabled), by: \.name)
  }

  private mutating func compareDevices(_ old: GatewayConfiguration, _ new: GatewayConfiguration) {
    let changed: [String]
    (newDevices, goneDevices, changed) = Self.compare(old.devices, new.devices, by: \.name)
    let before = Dictionary(old.devices.map { ($0.name, $0.device) }, uniquingKeysWith: { first, _ in first })
    replacedDevices = new.devices.filter { changed.contains($0.name) && before[$0.name] != $0.device }.map(\.name)
    changedDevices = changed.filter { !replacedDevices.contains($0) }
  }

  private mutating func compareLines(_ old: GatewayConfiguration, _ new: GatewayConfiguration) {
    (newLines, goneLines, changedLines) = Self.compare(old.gpio.lines, new.gpio.lines, by: \.name)
    interlocks = old.gpio.interlocks != new.gpio.interlocks
  }

  private mutating func compareSections(_ old: GatewayConfiguration, _ new: GatewayConfiguration) {
    func note(_ section: Section, _ isSame: Bool) { if !isSame { sections.insert(section) } }
    note(.upload, old.upload == new.upload)
    note(.downlink, old.downlink == new.downlink)
    note(.queue, old.queue.withoutDirectory == new.queue.withoutDirectory)
    note(.gpio, old.gpio == new.gpio)
    note(.rpc, old.rpc.withoutCalls == new.rpc.withoutCalls)
    note(.calls, old.rpc.calls == new.rpc.calls)
    note(.claim, old.claim == new.claim)
    note(.attributes, old.attributes == new.attributes)
    note(.log, old.logLevel == new.logLevel)
    note(.ota, old.ota == new.ota)
    note(.remote, old.remote == new.remote)
    note(.unreachable, old.unreachable == new.unreachable)
  }

  private static func compare<Entry: Equatable>(
    _ old: [Entry], _ new: [Entry], by name: (Entry) -> String
  ) -> (new: [String], gone: [String], changed: [String]) {
    let before = Dictionary(old.map { (name($0), $0) }, uniquingKeysWith: { first, _ in first })
    let after = Set(new.map(name))
    return (
      new.map(name).filter { before[$0] == nil }, old.map(name).filter { !after.contains($0) },
      new.filter { entry in before[name(entry)].map { $0 != entry } ?? false }.map(name)
    )
  }

  /// Whose each sensor is, where, and whether it is read: a device's commands reach its own alone.
  private static func owners(_ configuration: GatewayConfiguration) -> Set<[String?]> {
    // The gateway's own commands reach every port; where there are other devices, a port is its sensors' owner's.
    let isShared = !configuration.devices.isEmpty
    return Set(
      configuration.sensors.map { [$0.name, $0.device, isShared ? $0.port : nil, $0.isEnabled ? nil : "off"] })
  }

  private static func areSame(_ old: [String], _ new: [String]) -> Bool { Set(old) == Set(new) }
}

extension GatewayConfiguration {
  /// What is opened: ports with a sensor, and all of them where commands may write to them.
  fileprivate var openPorts: [String: SerialOptions] {
    let used = Set(sensors.filter(\.isEnabled).compactMap(\.port))
    let open = ports.filter { takesCommands || used.contains($0.name) }
    return Dictionary(open.map { ($0.name, $0.options) }, uniquingKeysWith: { first, _ in first })
  }

  fileprivate func sensors(on port: String) -> [SensorOptions] { sensors.filter { $0.isEnabled && $0.port == port } }
}

extension QueueOptions {
  fileprivate var withoutDirectory: QueueOptions {
    var options = self
    options.hotDirectory = nil
    return options
  }
}

extension RPCOptions {
  fileprivate var withoutCalls: RPCOptions {
    var options = self
    options.calls = []
    return options
  }
}
