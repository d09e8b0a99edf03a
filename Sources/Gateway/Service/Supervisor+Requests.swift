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
    case .call(let method, let params):
      guard let link else { return .failure(withoutCredential) }
      return await ServerCalls.call(method, params, link.api)
    case .claim(let secret, let duration):
      guard let link else { return .failure(withoutCredential) }
      return .init(await link.claim(secret: secret, duration: duration))
    case .provision(let force): return await provision(force: force)
    }
  }

  private var withoutCredential: String {
    "there is no credential yet: provisioning goes on by itself; `baudgate status` tells why"
  }

  private func provision(force: Bool) async -> ControlAnswer {
    guard let identity else { return .failure("starting") }
    if !force, let words = await ServerCalls.whyNotToProvision(identity, hasLink: link != nil) { return words }
    switch await identity.provisionAnew() {
    case .failure(let failure): return .failure(failure.message)
    case .success(let token):
      await link?.use(token)
      return .document(.object([.init("result", .string("the server has granted a new credential, which is in use"))]))
    }
  }

  // MARK: Status

  func updateTraffic() async {
    guard let link else { return }
    traffic.update(await link.api.traffic(), at: CaptureTime.now().milliseconds)
  }

  /// One line: what works, what does not.
  var summary: String {
    let depth = queue?.assumeIsolated { $0.depth } ?? 0
    let degraded = queue?.assumeIsolated { $0.status.degraded }
    let open = samplers.filter { $0.assumeIsolated { $0.portStatus?.state == .open } }.count
    var parts = ["\(open) of \(samplers.count) ports open", "\(depth) records waiting"]
    switch link {
    case nil: parts.append("no credential yet")
    case let link? where link.isFailing: parts.append("server out of reach")
    // Without a reading to send nothing else would tell.
    case let link? where link.commandsFail: parts.append("commands do not arrive")
    case .some: parts.append("server in reach")
    }
    if let problem = link?.commandProblem {
      parts.insert("DEGRADED: commands with lasting effect are refused (\(problem))", at: 0)
    }
    if let degraded { parts.insert("DEGRADED: \(degraded)", at: 0) }
    return parts.joined(separator: ", ")
  }

  /// What `baudgate status` and the command `getStatus` show.
  var statusDocument: JSON {
    get async {
      await updateTraffic()
      guard let queue, let recorder else { return .object([.init("error", .string("starting"))]) }
      var parts: [StatusReport.Part] = []
      for sampler in samplers {
        guard let port = await sampler.portStatus else { continue }
        parts.append(StatusReport.Part(port: port, sensors: await sampler.sensors))
      }
      return StatusReport(
        started: started, summary: summary, samplers: parts, recorder: await recorder.status, queue: await queue.status,
        uplink: await link?.uplinkStatus ?? Uplink.Status(), server: configuration.server.url.description,
        today: traffic, lines: await gpio?.status ?? [], downlink: await link?.downlinkStatus,
        provisioning: await identity?.status
      ).json
    }
  }
}
