internal import EventLoop
internal import Hardware
internal import Queue
internal import Telemetry

/// What `baudgate status --json` prints; `docs/operations.md` explains each member.
struct StatusReport {
  var started: CaptureTime
  var now = CaptureTime.now()
  var summary: String
  var samplers: [Part]
  var recorder: Recorder.Status
  var queue: QueueStatus
  var uplink: Uplink.Status
  var server: String
  var today: TrafficToday
  var lines: [GPIOLineStatus] = []
  /// `nil` while there is no credential.
  var downlink: DownlinkStatus?
  /// `nil` where the token is given.
  var provisioning: Provisioner.Status?

  /// One port with its sensors.
  struct Part {
    var port: PortStatus
    var sensors: [Sampler.SensorStatus]
  }

  var json: JSON {
    var members = ground
    if !lines.isEmpty { members.append(.init("gpio", .object(lines.map(line)))) }
    if let provisioning { members.append(.init("provisioning", provisioningObject(provisioning))) }
    members += downlink?.members(at: now) ?? []
    return .object(members)
  }

  private var ground: [JSON.Member] {
    [
      .init("version", .string(Version.current)),
      .init("summary", .string(summary)),
      .init("uptime_ms", .integer(now.boottime &- started.boottime)),
      .init("sensors", .object(samplers.flatMap { part in part.sensors.map { sensor($0, part.port) } })),
      .init("ports", .object(samplers.map { .init($0.port.name, port($0.port)) })),
      .init("queue", queueObject),
      .init("uplink", uplinkObject),
      .init(
        "values",
        .object([
          .init("unsendable", .integer(Int64(clamping: recorder.unsendable))),
          .init("replaced", .integer(Int64(clamping: recorder.replaced))),
        ])),
    ]
  }

  private func line(_ line: GPIOLineStatus) -> JSON.Member {
    var members: [JSON.Member] = [
      .init("chip", .string(line.chip)),
      .init("line", .integer(Int64(line.offset))),
      .init("direction", .string(line.direction.rawValue)),
      .init("changes", .integer(Int64(clamping: line.changes))),
    ]
    if let value = line.value { members.append(.init("value", .bool(value))) }
    if let error = line.error { members.append(.init("last_error", .string(error))) }
    return .init(line.name, .object(members))
  }

  private func provisioningObject(_ status: Provisioner.Status) -> JSON {
    var members: [JSON.Member] = [
      .init("state", .string(status.state.rawValue)), .init("requests", .integer(Int64(clamping: status.requests))),
    ]
    if let device = status.device { members.append(.init("device", .string(device))) }
    if let error = status.lastError {
      members += [
        .init("last_error", .string(error.message)),
        .init("last_error_age_ms", .integer(now.boottime &- error.at.boottime)),
      ]
    }
    return .object(members)
  }

  private func sensor(_ sensor: Sampler.SensorStatus, _ port: PortStatus) -> JSON.Member {
    var members: [JSON.Member] = [
      .init("port", .string(port.name)),
      .init("samples", .integer(Int64(clamping: sensor.samples))),
      .init("errors", .integer(Int64(clamping: sensor.errors))),
    ]
    if let time = sensor.lastTime { members.append(.init("age_ms", .integer(now.boottime &- time.boottime))) }
    if let isStale = sensor.isStale(at: now, start: started) { members.append(.init("stale", .bool(isStale))) }
    if let error = sensor.lastError { members.append(.init("last_error", .string(error))) }
    members.append(.init("values", .object(sensor.latest.map { .init($0.key.name, JSON($0.value)) })))
    if !sensor.units.isEmpty {
      members.append(.init("units", .object(sensor.units.map { .init($0.key, .string($0.value)) })))
    }
    return .init(sensor.name, .object(members))
  }

  private func port(_ port: PortStatus) -> JSON {
    var members: [JSON.Member] = [
      .init("path", .string(port.path)),
      .init("state", .string(port.state.name)),
      .init("settings", .string(port.granted?.notation ?? "")),
      .init("bytes_received", .integer(Int64(clamping: port.bytesReceived))),
      .init("bytes_sent", .integer(Int64(clamping: port.bytesSent))),
      .init("reopened", .integer(Int64(clamping: port.reopenCount))),
    ]
    if case .waiting(let delay) = port.state {
      members.append(.init("next_try_in_ms", .integer(delay.wholeMilliseconds)))
    }
    if let error = port.lastError { members.append(.init("last_error", .string(error.message))) }
    if let errors = port.driverErrors {
      members += [
        .init("overrun", .integer(Int64(clamping: errors.overrun))),
        .init("framing", .integer(Int64(clamping: errors.framing))),
        .init("parity", .integer(Int64(clamping: errors.parity))),
        .init("buffer_overrun", .integer(Int64(clamping: errors.bufferOverrun))),
      ]
    }
    return .object(members)
  }

  private var queueObject: JSON {
    var members: [JSON.Member] = [
      .init("records", .integer(Int64(clamping: queue.depthRecords))),
      .init("bytes", .integer(Int64(clamping: queue.depthBytes))),
    ]
    if let oldest = queue.oldestTimestamp {
      members.append(.init("oldest_age_ms", .integer(max(0, now.milliseconds &- oldest))))
    }
    members += [
      .init("dropped", .integer(Int64(clamping: queue.droppedRecords))),
      .init("quarantined", .integer(Int64(clamping: queue.quarantined))),
      .init("parked", .integer(Int64(clamping: uplink.parked))),
    ]
    if let reason = queue.degraded { members.append(.init("degraded", .string(reason))) }
    return .object(members)
  }

  private var uplinkObject: JSON {
    var members: [JSON.Member] = [
      .init("server", .string(server)),
      .init("state", .string(uplink.state.word)),
      .init("failing", .bool(uplink.isFailing)),
      .init("delivered", .integer(Int64(clamping: uplink.delivered))),
      .init("requests", .integer(Int64(clamping: uplink.requests))),
    ]
    if case .backingOff(let until) = uplink.state {
      members.append(.init("next_try_in_ms", .integer((until - Uptime.monotonic).wholeMilliseconds)))
    }
    if let last = uplink.lastDelivery {
      members.append(.init("last_delivery_age_ms", .integer(now.boottime &- last.boottime)))
    }
    if let error = uplink.lastError {
      members += [
        .init("last_error", .string(error.message)),
        .init("last_error_age_ms", .integer(now.boottime &- error.at.boottime)),
      ]
    }
    members += [
      .init("requests_today", .integer(Int64(clamping: today.requests))),
      .init("bytes_sent_today", .integer(Int64(clamping: today.sent))),
      .init("bytes_received_today", .integer(Int64(clamping: today.received))),
    ]
    return .object(members)
  }
}

extension Uplink.State {
  /// One word, as `status` shows it.
  var word: String {
    switch self {
    case .idle: "idle"
    case .sending: "sending"
    case .backingOff: "backing_off"
    case .stopped: "stopped"
    }
  }
}
