internal import EventLoop
internal import Hardware
internal import Telemetry

/// What `baudgate status --json` prints; `docs/operations.md` explains each member.
struct StatusReport {
  var started: CaptureTime
  var now = CaptureTime.now()
  var summary: String
  var samplers: [Part]
  /// The gateway's own.
  var device: DeviceStatus
  /// Those of `devices:`.
  var others: [DeviceStatus] = []
  var server: String
  var today: TrafficToday
  var lines: [GPIOLineStatus] = []
  /// What is counted or measured on them, by name.
  var counts: [String: [JSON.Member]] = [:]
  /// Parts that are there where they are configured: `remote_configuration`, `updates`, `recovery`.
  var parts: [JSON.Member] = []

  /// One port with its sensors.
  struct Part {
    /// `nil` for sensors that are read from files.
    var port: PortStatus?
    var sensors: [SensorStatus]
    /// Of a bus.
    var units: [BusUnitStatus] = []
  }

  var json: JSON {
    var members = ground
    if !lines.isEmpty { members.append(.init("gpio", .object(lines.map(line)))) }
    if let provisioning = device.provisioning {
      members.append(.init("provisioning", provisioning.json(at: now)))
    }
    members += device.downlink?.members(at: now) ?? []
    members += parts
    if !others.isEmpty {
      members.append(.init("devices", .object(others.map { .init($0.name, $0.json(at: now)) })))
    }
    return .object(members)
  }

  private var ground: [JSON.Member] {
    [
      .init("version", .string(Version.current)),
      .init("summary", .string(summary)),
      .init("uptime_ms", .integer(now.boottime &- started.boottime)),
      .init("sensors", .object(samplers.flatMap { part in part.sensors.map { sensor($0, part.port) } })),
      .init("ports", .object(samplers.compactMap(port))),
      .init("queue", .object(device.queueMembers(at: now))),
      .init("uplink", uplinkObject),
      .init("values", device.values),
    ]
  }

  private func line(_ line: GPIOLineStatus) -> JSON.Member {
    var members: [JSON.Member] = [
      .init("chip", .string(line.chip)),
      .init("line", line.offset.map { .integer(Int64($0)) } ?? .null),
      .init("direction", .string(line.role)),
      .init("changes", .integer(Int64(clamping: line.changes))),
    ]
    if let value = line.value { members.append(.init("value", .bool(value))) }
    if line.isMadeSafe { members.append(.init("made_safe", .bool(true))) }
    if line.isPolled { members.append(.init("polled", .bool(true))) }
    members += counts[line.name] ?? []
    if let error = line.error { members.append(.init("last_error", .string(error))) }
    return .init(line.name, .object(members))
  }

  private func sensor(_ sensor: SensorStatus, _ port: PortStatus?) -> JSON.Member {
    var members: [JSON.Member] = port.map { [.init("port", .string($0.name))] } ?? []
    members += [
      .init("samples", .integer(Int64(clamping: sensor.samples))),
      .init("errors", .integer(Int64(clamping: sensor.errors))),
    ]
    if let time = sensor.lastTime { members.append(.init("age_ms", .integer(now.boottime &- time.boottime))) }
    if let isStale = sensor.isStale(at: now) { members.append(.init("stale", .bool(isStale))) }
    if let missed = sensor.missed { members.append(.init("missed", .integer(Int64(clamping: missed)))) }
    if let error = sensor.lastError { members.append(.init("last_error", .string(error))) }
    members.append(.init("values", .object(sensor.latest.map { .init($0.key.name, JSON($0.value)) })))
    if !sensor.units.isEmpty {
      members.append(.init("units", .object(sensor.units.map { .init($0.key, .string($0.value)) })))
    }
    return .init(sensor.name, .object(members))
  }

  private func port(_ part: Part) -> JSON.Member? {
    guard let port = part.port else { return nil }
    var members: [JSON.Member] = [
      .init("path", .string(port.path)),
      .init("state", .string(port.state.name)),
      .init("device", port.device.map(JSON.string) ?? .null),
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
    if !part.units.isEmpty { members.append(.init("units", .object(part.units.map(unit)))) }
    return .init(port.name, .object(members))
  }

  private func unit(_ unit: BusUnitStatus) -> JSON.Member {
    var members: [JSON.Member] = [
      .init("asked", .integer(Int64(clamping: unit.asked))),
      .init("answered", .integer(Int64(clamping: unit.answered))),
      .init("timeouts", .integer(Int64(clamping: unit.timeouts))),
      .init("retries", .integer(Int64(clamping: unit.retries))),
      .init("late", .integer(Int64(clamping: unit.late))),
      .init("longest_answer_ms", .integer(unit.longestAnswer.wholeMilliseconds)),
    ]
    if let time = unit.silentFor { members.append(.init("silent_ms", .integer(time.wholeMilliseconds))) }
    if let time = unit.setAsideFor { members.append(.init("set_aside_ms", .integer(time.wholeMilliseconds))) }
    if let failure = unit.lastFailure { members.append(.init("last_error", .string(failure))) }
    return .init("\(unit.unit)", .object(members))
  }

  private var uplinkObject: JSON {
    .object(
      [.init("server", .string(server))] + device.uplinkMembers(at: now) + [
        .init("requests_today", .integer(Int64(clamping: today.requests))),
        .init("bytes_sent_today", .integer(Int64(clamping: today.sent))),
        .init("bytes_received_today", .integer(Int64(clamping: today.received))),
      ])
  }
}
