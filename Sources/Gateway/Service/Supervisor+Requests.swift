internal import Configuration
internal import EventLoop
internal import Hardware
internal import Telemetry
internal import ThingsBoard

// MARK: - What the control socket asks
extension Supervisor {
  func answer(_ line: String) async -> [UInt8] {
    guard let request = ControlRequest(line) else { return ControlAnswer.failure("unknown request").bytes }
    return await answer(request).bytes
  }

  private func answer(_ request: ControlRequest) async -> ControlAnswer {
    switch request {
    case .status: return .document(await statusDocument)
    case .reload: return (await reload()).answer
    case .call(let method, let params):
      guard let link = await own?.link else { return .failure(withoutCredential) }
      return await ServerCalls.call(method, params, link.api)
    case .claim(let secret, let duration):
      guard let link = await own?.link else { return .failure(withoutCredential) }
      return .init(await link.claim(secret: secret, duration: duration))
    case .provision(let force): return await own?.provision(force: force) ?? .failure("starting")
    }
  }

  private var withoutCredential: String {
    "there is no credential yet: provisioning goes on by itself; `baudgate status` tells why"
  }

  // MARK: Status

  func updateTraffic() async {
    guard let access else { return }
    traffic.update(await access.traffic(), at: CaptureTime.now().milliseconds)
  }

  /// One line: what works, what does not.
  var summary: String {
    let queues = devices.map { $0.queue.assumeIsolated { ($0.depth, $0.status.degraded) } }
    let links = devices.map { $0.assumeIsolated { $0.link } }
    let open = samplers.filter { $0.assumeIsolated { $0.portStatus?.state == .open } }.count
    var parts = ["\(open) of \(samplers.count) ports open", "\(queues.reduce(0) { $0 + $1.0 }) records waiting"]
    let silent = samplers.reduce(0) { $0 + $1.assumeIsolated { $0.silentUnits } }
    if silent > 0 { parts.append("\(silent) \(silent == 1 ? "unit does" : "units do") not answer") }
    switch links.first ?? nil {
    case nil: parts.append("no credential yet")
    case let link? where link.isFailing: parts.append("server out of reach")
    // Without a reading to send nothing else would tell.
    case let link? where link.commandsFail: parts.append("commands do not arrive")
    case .some: parts.append("server in reach")
    }
    if links.count > 1 {
      let well = links.dropFirst().filter { $0.map { !$0.isFailing && !$0.commandsFail } ?? false }.count
      parts.append("\(well) of \(links.count - 1) devices in order")
    }
    if let problem = links.lazy.compactMap({ $0?.commandProblem }).first {
      parts.insert("DEGRADED: commands with lasting effect are refused (\(problem))", at: 0)
    }
    if let degraded = queues.lazy.compactMap(\.1).first { parts.insert("DEGRADED: \(degraded)", at: 0) }
    if let fileTrouble { parts.insert("DEGRADED: \(fileTrouble)", at: 0) }
    return parts.joined(separator: ", ")
  }

  /// What `baudgate status` and the command `getStatus` show.
  var statusDocument: JSON {
    get async {
      await updateTraffic()
      guard let own else { return .object([.init("error", .string("starting"))]) }
      var others: [DeviceStatus] = []
      for device in devices.dropFirst() { others.append(await device.status) }
      return StatusReport(
        started: started, summary: summary, samplers: await samplerParts(of: nil), device: await own.status,
        others: others, server: configuration.server.url.description, today: traffic,
        lines: await gpio?.status ?? [], counts: await counts, parts: await statusParts
      ).json
    }
  }

  /// What the command `getStatus` of a device shows: of another than the gateway's own only what belongs to it.
  func statusDocument(of name: String) async -> JSON {
    guard name != DeviceProfile.ownName else { return await statusDocument }
    guard let device = device(name) else { return .null }
    let lines = belongings.lines(of: name).map(\.name)
    let sensors = belongings.sensors(of: name).map(\.name)
    return StatusReport(
      started: started, summary: "device \(name)",
      samplers: await samplerParts(of: sensors), device: await device.status,
      server: configuration.server.url.description, today: TrafficToday(),
      lines: await gpio?.status.filter { lines.contains($0.name) } ?? [], counts: await counts
    ).json
  }

  /// - Parameter names: The sensors that are shown, with their ports; `nil` for everything.
  private func samplerParts(of names: [String]?) async -> [StatusReport.Part] {
    var parts: [StatusReport.Part] = []
    for sampler in samplers {
      guard let port = await sampler.portStatus else { continue }
      let sensors = await sampler.sensors.filter { names?.contains($0.name) ?? true }
      if names != nil && sensors.isEmpty { continue }
      parts.append(StatusReport.Part(port: port, sensors: sensors, units: await sampler.units))
    }
    if let sensors = await files?.sensors.filter({ names?.contains($0.name) ?? true }), !sensors.isEmpty {
      parts.append(StatusReport.Part(port: nil, sensors: sensors))
    }
    return parts
  }

  private var statusParts: [JSON.Member] {
    get async {
      var parts: [JSON.Member] = []
      if let remote, configuration.remote.isEnabled {
        parts.append(.init("remote_configuration", await remote.status))
      }
      var updates: [JSON.Member] = []
      for kind in PackageKind.allCases {
        if let updater = updaters[kind] { updates.append(.init(kind.rawValue, await updater.status.json)) }
      }
      if !updates.isEmpty { parts.append(.init("updates", .object(updates))) }
      return parts
    }
  }
}
