internal import EventLoop
internal import YAML

// MARK: DigitalLines

extension GPIOController {
  /// An input's debounced level, an output's value as read back when it was driven; no call goes to the chip.
  ///
  /// - Throws: `GPIOError`: `.noSuchLine`; `.unavailable` while the line cannot be had.
  public func value(of name: String) throws(GPIOError) -> Bool {
    let line = held[try index(of: name)]
    if line.options.meter != nil {
      throw GPIOError(
        .unavailable, "\(name) is counted or measured, so its level is not followed; its values are telemetry")
    }
    guard line.handle != nil, let value = line.value else { throw line.unavailable(because: line.fault) }
    return value
  }

  /// Drives an output, ending a pulse under way. A simulated line is driven before this suspends.
  ///
  /// - Returns: The value read back, which is the one asked for.
  /// - Throws: `GPIOError`: `.noSuchLine`; `.notOutput`; `.unavailable` while the line cannot be had, when its chip
  ///   fails, with 64 calls waiting for the chip, or when it reads otherwise; `.interlocked`.
  public func set(_ name: String, to value: Bool) async throws(GPIOError) -> Bool {
    try await command(name, value)
  }

  /// Switches an output on, and off again after `duration`; a pulse under way is begun anew. The time counts from when
  /// the line is on.
  ///
  /// - Throws: `GPIOError`, as `set`.
  public func pulse(_ name: String, for duration: Duration) async throws(GPIOError) {
    try await command(name, true, for: duration)
  }

  @discardableResult
  private func command(
    _ name: String, _ value: Bool, for duration: Duration? = nil
  ) async throws(GPIOError) -> Bool {
    let index = try index(of: name)
    let line = held[index]
    guard line.options.direction == .output else {
      throw GPIOError(.notOutput, "\(name) is an input; `direction: output` in gpio.lines.\(name) makes it an output")
    }
    guard let handle = line.handle else { throw line.unavailable(because: line.fault) }
    guard line.calls.waiting < Self.waitingLimit else {
      throw GPIOError(
        .unavailable, "\(name): \(Self.waitingLimit) calls wait for \(line.options.chip) already; its bus is too slow")
    }
    if value { try checkInterlocks(index) }
    // The pulse under way is over, and so is one whose beginning still waits for the chip.
    line.timer?.disarm()
    line.command &+= 1
    line.isPulsing = duration != nil
    line.isMadeSafe = false
    let command = line.command
    let result: Result<Bool, GPIOFault> = await withCheckedContinuation { continuation in
      drive(handle, to: value, index, isLasting: duration == nil) { controller, result in
        // What reads otherwise may be on all the same.
        if let duration, case .success = result { controller.armPulse(index, command, duration) }
        continuation.resume(returning: result)
      }
    }
    switch result {
    case .success(value): return value
    case .success: throw line.readsOtherwise(than: value)
    case .failure(let fault): throw line.unavailable(because: fault)
    }
  }

  private func armPulse(_ index: Int, _ command: UInt64, _ duration: Duration) {
    let line = held[index]
    guard line.command == command, line.handle != nil else { return }
    line.timer?.arm(after: duration)
  }

  private func index(of name: String) throws(GPIOError) -> Int {
    if let index = indices[name] { return index }
    let known = lines.isEmpty ? "there are no gpio.lines" : "gpio.lines has \(listed(lines.map(\.name)))"
    throw GPIOError(.noSuchLine, "there is no line \(quoted(name)); \(known)")
  }

  /// Every line as it is now, in the order of the file.
  public var status: [GPIOLineStatus] {
    order.map { held[$0] }.map { line in
      GPIOLineStatus(
        name: line.options.name, chip: "\(line.options.chip)", offset: line.options.offset ?? line.handle?.offset,
        direction: line.options.direction, value: line.isLevelKnown ? line.value : nil,
        error: line.handle == nil ? line.fault?.description : nil, changes: line.changes, isMadeSafe: line.isMadeSafe,
        isPolled: line.handle?.isPolled ?? false, isCounter: line.options.meter?.quantity == .count)
    }
  }
}
