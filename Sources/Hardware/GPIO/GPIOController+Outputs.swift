internal import EventLoop
internal import YAML

// MARK: - Interlocks

extension GPIOController {
  /// - Throws: `GPIOError` with `.interlocked` where a line may not be switched on now.
  func checkInterlocks(_ index: Int) throws(GPIOError) {
    guard let obstacle = obstacle(to: index) else { return }
    let name = held[index].options.name
    throw GPIOError(
      .interlocked, "\(name) is never on together with \(obstacle.line) (gpio.interlocks): \(obstacle.words)")
  }

  private func obstacle(to index: Int) -> Interlocks.Obstacle? {
    let name = held[index].options.name
    // Most are in none.
    guard interlocks.has(name) else { return nil }
    return interlocks.obstacle(to: name, at: Uptime.monotonic, level)
  }

  private func level(_ name: String) -> Interlocks.Level {
    guard let index = indices[name] else { return .unknown }
    let line = held[index]
    if line.pendingOn > 0 || line.handle != nil && line.value == true { return .on }
    guard line.handle != nil, line.value == false, let since = line.offSince else { return .unknown }
    return .off(since: since)
  }

  /// Whether a value is to be taken after the other lines have theirs.
  func comesLast(_ value: Bool, _ index: Int) -> Bool {
    let line = held[index]
    return value && line.options.direction == .output && interlocks.has(line.options.name)
  }

  func waitForGap(of lines: [Int]) async {
    let gap = lines.map { interlocks.gap(of: held[$0].options.name) }.max() ?? .zero
    // Without a timer to be had, what comes is checked all the same.
    if gap > .zero { try? await loop.sleep(for: gap, accuracy: timing.accuracy) }
  }

  /// What a line is requested with: one that would be on together with another is off.
  func allowed(_ index: Int) -> GPIOLineOptions {
    let line = held[index]
    var requested = line.requested
    // What only is requested anew is on already.
    if requested.initial, line.kept == nil, let obstacle = obstacle(to: index) {
      line.journal.interlocked(obstacle)
      requested.initial = false
    }
    return requested
  }

  /// The value a line is left at; `nil` leaves it as it is.
  func allowedToLeave(_ index: Int, by options: GPIOLineOptions) -> Bool? {
    let line = held[index]
    let safe = line.valueToLeave(by: options)
    guard safe == true, interlocks.has(options.name) else { return safe }
    // They are left already: what they were left at counts.
    let isAlone = interlocks.partners(of: options.name).allSatisfy { name in
      indices[name].map { held[$0].value == false && held[$0].pendingOn == 0 } ?? true
    }
    if !isAlone { line.journal.interlocked(.unknown(listed(interlocks.partners(of: options.name)))) }
    return isAlone
  }

  /// Switches off what is on together with another that goes before it: held over a restart, driven by somebody else, or
  /// forbidden only now. The first one of the file stays on.
  func endForbidden() {
    var ending: Set<String> = []
    for index in order.reversed() where endForbidden(index, besides: ending) { ending.insert(held[index].options.name) }
  }

  /// - Parameter ending: Lines that are on their way off.
  /// - Returns: Whether it is switched off.
  @discardableResult
  func endForbidden(_ index: Int, besides ending: Set<String> = []) -> Bool {
    let line = held[index]
    let name = line.options.name
    guard line.options.direction == .output, interlocks.has(name), let handle = line.handle, line.value == true,
      case .on(let other)? = interlocks.obstacle(
        to: name, at: Uptime.monotonic, { ending.contains($0) ? .unknown : level($0) })
    else { return false }
    line.journal.interlocked(.on(other))
    // A pulse under way ends with it.
    line.timer?.disarm()
    line.command &+= 1
    line.isPulsing = false
    drive(handle, to: false, index) { _, _ in }
    return true
  }
}

// MARK: - What is held

extension GPIOController {
  /// `safe:` is another: the value is to outlive this process, or not.
  func holdLine(_ index: Int) {
    let line = held[index]
    guard line.options.direction == .output, let handle = line.handle else { return }
    let isHeld = line.options.safe == .hold && !line.isPulsing
    call(index) {
      handle.hold(isHeld)
    } then: { _, _ in
    }
  }
}

// MARK: - The server out of reach

extension GPIOController {
  /// Drives outputs to their safe value whose `safe_after` is over, each once; off goes before on. They stay so until
  /// they are commanded, also when the server is back.
  ///
  /// - Parameter duration: How long the server has been out of reach.
  /// - Returns: How long it must be for the next one; `nil` without one.
  public func serverUnreachable(for duration: Duration) -> Duration? {
    var next: Duration?
    for index in order.sorted(by: { !held[$0].isSafeOn && held[$1].isSafeOn }) {
      let line = held[index]
      guard let limit = line.options.safeAfter, !unreachable.contains(line.options.name) else { continue }
      let due = limit <= duration ? makeSafe(index, after: duration) : limit
      if let due { next = min(next ?? due, due) }
    }
    return next
  }

  /// The server answers again: the next outage counts anew.
  public func serverIsBack() { unreachable = [] }

  /// - Returns: When to try again; `nil` once it is done.
  private func makeSafe(_ index: Int, after duration: Duration) -> Duration? {
    let line = held[index]
    let safe = line.isSafeOn
    if safe, let obstacle = obstacle(to: index) {
      // The other one is on its way off, or was on a moment ago.
      if isPassing(obstacle) { return duration + .seconds(1) }
      line.journal.interlocked(obstacle)
    } else {
      line.isMadeSafe = true
      line.journal.madeSafe(safe, after: duration)
      // One that cannot be had now takes it with its request.
      if let handle = line.handle {
        line.timer?.disarm()
        line.command &+= 1
        line.isPulsing = false
        drive(handle, to: safe, index) { _, _ in }
      }
    }
    unreachable.insert(line.options.name)
    return nil
  }
}

extension GPIOController {
  private func isPassing(_ obstacle: Interlocks.Obstacle) -> Bool {
    switch obstacle {
    case .recent: true
    case .on(let other): indices[other].map { held[$0].calls.isRunning } ?? false
    case .unknown: false
    }
  }
}

extension GPIOController.Line {
  var isSafeOn: Bool { options.safe == .on }

  /// - Parameter value: What was asked for.
  func readsOtherwise(than value: Bool) -> GPIOError {
    GPIOError(
      .unavailable,
      "\(options.name) was driven \(value ? "on" : "off") and reads \(value ? "off" : "on"); something else drives the "
        + "line, or it is short-circuited: look at the wiring")
  }
}
