internal import EventLoop
internal import Telemetry

/// What comes down and what is called, as `baudgate status` shows it.
struct DownlinkStatus: Sendable {
  var commandPolls: PollStatus
  var commands: CommandDesk.Status
  var sharedAttributes: SharedAttributes.Status
  /// The shared attributes themselves, sorted by key.
  var values: [(String, JSON)]
  var clientAttributes: ClientAttributes.Status
  var calls: [ScheduledCalls.Status]
  var lastClaim: CaptureTime?

  func members(at now: CaptureTime) -> [JSON.Member] {
    var members: [JSON.Member] = [
      .init("commands", .object(poll(commandPolls, at: now) + commandCounters)),
      .init("shared_attributes", .object(poll(sharedAttributes.polls, at: now) + sharedMembers(at: now))),
      .init("client_attributes", .object(clientMembers(at: now))),
    ]
    if !calls.isEmpty { members.append(.init("calls", .object(calls.map { call($0, at: now) }))) }
    if let lastClaim { members.append(.init("last_claim_age_ms", .integer(now.boottime &- lastClaim.boottime))) }
    return members
  }

  private func poll(_ status: PollStatus, at now: CaptureTime) -> [JSON.Member] {
    var members: [JSON.Member] = [
      .init("state", .string(status.state.word)),
      .init("failing", .bool(status.isFailing)),
      .init("polls_open", .integer(Int64(clamping: status.open))),
    ]
    if case .backingOff(let until) = status.state {
      members.append(.init("next_try_in_ms", .integer((until - Uptime.monotonic).wholeMilliseconds)))
    }
    if let last = status.lastAnswer {
      members.append(.init("last_answer_age_ms", .integer(now.boottime &- last.boottime)))
    }
    return members + error(status.lastError.map { ($0.message, $0.at) }, at: now)
  }

  private var commandCounters: [JSON.Member] {
    [
      ("executed", commands.executed), ("failed", commands.failed), ("duplicates", commands.duplicates),
      ("refused", commands.refused), ("pending", UInt64(clamping: commands.pending)),
    ].map { .init($0.0, .integer(Int64(clamping: $0.1))) }
      + (commands.problem.map { [.init("problem", .string($0))] } ?? [])
  }

  private func sharedMembers(at now: CaptureTime) -> [JSON.Member] {
    let reading = sharedAttributes.lastReading.map {
      JSON.Member("last_reading_age_ms", .integer(now.boottime &- $0.boottime))
    }
    return (reading.map { [$0] } ?? []) + [
      .init("keys", .integer(Int64(clamping: sharedAttributes.keys))),
      .init("refused", .integer(Int64(clamping: sharedAttributes.refused))),
      .init("values", .object(values.map { .init($0.0, $0.1) })),
    ]
  }

  private func clientMembers(at now: CaptureTime) -> [JSON.Member] {
    [
      .init("waiting", .integer(Int64(clamping: clientAttributes.waiting))),
      .init("given_up", .integer(Int64(clamping: clientAttributes.givenUp))),
    ] + error(clientAttributes.lastError, at: now)
  }

  private func call(_ call: ScheduledCalls.Status, at now: CaptureTime) -> JSON.Member {
    var members: [JSON.Member] = [
      .init("calls", .integer(Int64(clamping: call.calls))),
      .init("answers", .integer(Int64(clamping: call.answers))),
      .init("errors", .integer(Int64(clamping: call.errors))),
      .init("values", .integer(Int64(clamping: call.values))),
    ]
    if let last = call.lastAnswer {
      members.append(.init("last_answer_age_ms", .integer(now.boottime &- last.boottime)))
    }
    return .init(call.name, .object(members + error(call.lastError, at: now)))
  }

  private func error(_ error: (message: String, at: CaptureTime)?, at now: CaptureTime) -> [JSON.Member] {
    guard let error else { return [] }
    return [
      .init("last_error", .string(error.message)),
      .init("last_error_age_ms", .integer(now.boottime &- error.at.boottime)),
    ]
  }
}
