internal import Configuration
internal import EventLoop
internal import Hardware
internal import Telemetry

// MARK: - What the server should know of this board
extension Supervisor {
  /// Client attributes of all devices: facts, ports and sensors. Only what has changed is sent.
  func publishFacts() async {
    await readFacts()
    for device in devices { await publish(to: device) }
  }

  /// Of one device, whose link is new.
  func publishFacts(to name: String) async {
    await readFacts()
    if let device = device(name) { await publish(to: device) }
  }

  private func readFacts() async {
    if facts == nil { facts = await resources.disk.run { BoardFacts.read() } }
    if let time = bootTime.update() { facts?.bootTime = time }
  }

  private func publish(to device: Device) async {
    let profile = await device.profile
    await device.publish((profile.isOwn ? facts?.attributes ?? [] : []) + attributes(of: profile))
  }

  /// The ports and sensors of a device.
  private func attributes(of profile: DeviceProfile) -> [Reading] {
    let sensors = belongings.sensors(of: profile.name)
    let serving = Set(sensors.compactMap(\.port))
    let ports = samplers.compactMap { $0.assumeIsolated { $0.portStatus } }
      .filter { profile.isOwn || serving.contains($0.name) }
      .map { port in
        JSON.Member(
          port.name,
          .object([.init("path", .string(port.path)), .init("found", .bool(port.state == .open))]))
      }
    let described = sensors.map { sensor in
      JSON.Member(
        sensor.name,
        .object(
          (sensor.port.map { [.init("port", .string($0))] } ?? []) + [.init("protocol", .string(sensor.protocolName))]))
    }
    // A device of its own that no port serves has nothing to say of ports.
    guard profile.isOwn || !described.isEmpty else { return [] }
    return [("ports", JSON.object(ports)), ("sensors", JSON.object(described))].compactMap { name, json in
      (try? Key(name)).map { Reading($0, .json(json)) }
    }
  }

  /// A port was opened or lost.
  func portChanged() {
    Task(executorPreference: loop) { await self.publishFacts() }
  }

  // MARK: GPIO

  /// A level is known for the first time, or another one.
  func levelChanged(_ event: GPIOEvent) {
    guard let line = configuration.gpio.lines.first(where: { $0.name == event.line }) else { return }
    let device = device(line.device)
    if line.direction == .input, let key = try? Key(line.name) {
      device?.assumeIsolated { $0.record([Reading(key, .bool(event.value))], at: event.time) }
    }
    let pin = pinAttribute(line, event.value)
    device?.assumeIsolated { $0.publish(pin) }
    // Held down while the daemon starts it is no press.
    let isFirst = levels.updateValue(event.value, forKey: line.name) == nil
    if event.value, !isFirst, line.name == configuration.claim?.button {
      own?.assumeIsolated { $0.link?.claimButtonPressed() }
    }
  }

  func publishLevels(of name: String) async {
    guard let device = device(name) else { return }
    await device.publish((sensorAttributes[name] ?? [:]).map { Reading($0.key, $0.value) })
    for line in belongings.lines(of: name) {
      if let value = levels[line.name] { await device.publish(pinAttribute(line, value)) }
    }
  }

  /// GPIO panels read client attributes that are named by pin.
  private func pinAttribute(_ line: GPIOLineOptions, _ value: Bool) -> [Reading] {
    let lines = belongings.lines(of: line.device ?? DeviceProfile.ownName)
    return (try? Key(lines.pinName(of: line))).map { [Reading($0, .bool(value))] } ?? []
  }
}
