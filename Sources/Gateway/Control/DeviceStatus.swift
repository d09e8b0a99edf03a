internal import EventLoop
internal import Queue
internal import Telemetry

/// One device as `baudgate status` shows it.
struct DeviceStatus: Sendable {
  var name: String
  var queue: QueueStatus
  var recorder: Recorder.Status
  var uplink: Uplink.Status
  /// `nil` while there is no credential.
  var downlink: DownlinkStatus?
  /// `nil` where the token is given.
  var provisioning: Provisioner.Status?

  /// A device beside the gateway's own: what can go wrong with it.
  func json(at now: CaptureTime) -> JSON {
    var members: [JSON.Member] = [
      .init("queue", .object(queueMembers(at: now))), .init("uplink", .object(uplinkMembers(at: now))),
    ]
    if recorder.unsendable > 0 || recorder.replaced > 0 { members.append(.init("values", values)) }
    if let downlink, downlink.commandPolls.state != .off {
      members += downlink.members(at: now).filter { $0.name == "commands" }
    }
    if downlink == nil { members.append(.init("credential", .bool(false))) }
    if let provisioning { members.append(.init("provisioning", provisioning.json(at: now))) }
    return .object(members)
  }

  var values: JSON {
    .object([
      .init("unsendable", .integer(Int64(clamping: recorder.unsendable))),
      .init("replaced", .integer(Int64(clamping: recorder.replaced))),
    ])
  }

  func queueMembers(at now: CaptureTime) -> [JSON.Member] {
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
    return members
  }

  func uplinkMembers(at now: CaptureTime) -> [JSON.Member] {
    var members: [JSON.Member] = [
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
    return members
  }
}

extension Provisioner.Status {
  func json(at now: CaptureTime) -> JSON {
    var members: [JSON.Member] = [
      .init("state", .string(state.rawValue)), .init("requests", .integer(Int64(clamping: requests))),
    ]
    if let device { members.append(.init("device", .string(device))) }
    if let error = lastError {
      members += [
        .init("last_error", .string(error.message)),
        .init("last_error_age_ms", .integer(now.boottime &- error.at.boottime)),
      ]
    }
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

extension Device {
  var status: DeviceStatus {
    get async {
      DeviceStatus(
        name: name, queue: await queue.status, recorder: await recorder.status,
        uplink: await link?.uplinkStatus ?? Uplink.Status(), downlink: await link?.downlinkStatus,
        provisioning: await identity?.status)
    }
  }
}
