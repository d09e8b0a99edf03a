internal import EventLoop

// MARK: Other options

extension GPIOController {
  /// Takes other lines in place. Returns when each that is to be had was tried once, as `start` does.
  ///
  /// A line is the same as before if it has the same name. What the chip does not know of it (`device`, `safe`,
  /// `initial`) never touches it. One that is gone, or is another line of a chip now, is left at its safe value. An
  /// output whose `active_low` alone is another is requested anew with the level it has; between the two some chips
  /// make it an input for a moment. An input is requested anew where `bias`, `debounce` or `active_low` differ.
  public func use(_ options: GPIOOptions) async {
    defer { endForbidden() }
    interlocks = Interlocks(options.interlocks)
    guard options.lines != lines else { return }
    replace(options.lines)
    guard isRunning else { return }
    if !starting.isEmpty, !isStarting { endStart() }
    // First given back, then requested: two lines may have changed places.
    await settle()
    guard isRunning else { return }
    await requestLines()
  }

  private func replace(_ wanted: [GPIOLineOptions]) {
    let before = indices
    let names = Set(wanted.map(\.name))
    for (name, index) in before where !names.contains(name) {
      held[index].isRetired = true
      handle(.stop, index)
    }
    order = wanted.map { options in
      guard let index = before[options.name] else { return place(Line(options, timing: timing, log: log)) }
      change(index, to: options)
      return index
    }
    indices = Dictionary(zip(wanted.map(\.name), order), uniquingKeysWith: { first, _ in first })
    configured.withLock { $0 = wanted }
  }

  private func place(_ line: Line) -> Int {
    if let free = held.firstIndex(where: \.isGone) {
      held[free] = line
      return free
    }
    held.append(line)
    return held.count - 1
  }

  private func change(_ index: Int, to options: GPIOLineOptions) {
    let line = held[index]
    let before = line.options
    guard options != before else { return }
    guard !options.isServedLike(before) else {
      line.use(options)
      return holdLine(index)
    }
    if options.direction == .output, options.isSameLine(as: before) {
      let flips = options.isActiveLow != before.isActiveLow
      if let kept = line.kept {
        line.kept = kept != flips
      } else if line.handle != nil, !line.isPulsing {
        line.kept = line.value.map { $0 != flips }
      }
    }
    handle(.stop, index)
    line.use(options)
    line.isTried = false
    // Nobody else waits for this one, and given back it is not at its safe value: at once, then.
    if line.kept != nil { handle(.start, index) }
  }

  /// Waits for lines that are being given back, but not for a chip that hangs.
  private func settle() async {
    guard leaving > 0 else { return }
    do {
      if settleTimer == nil {
        settleTimer = try TimerSource(loop) { [weak self] in self?.assumeIsolated { $0.endSettling() } }
      }
    } catch { return }
    settleTimer?.arm(after: timing.startLimit)
    await withCheckedContinuation { settling.append($0) }
  }

  func endSettling() {
    settleTimer?.disarm()
    let waiting = settling
    settling = []
    for continuation in waiting { continuation.resume() }
  }
}
