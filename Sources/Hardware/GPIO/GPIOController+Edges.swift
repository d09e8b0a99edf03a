internal import EventLoop
internal import Telemetry

// MARK: Lines that are counted or measured, and lines that are polled
extension GPIOController {
  /// Reads of a descriptor in one go: with `CharacterDeviceLine.edgeReadLimit` events each they empty the kernel's
  /// buffer, however full it is.
  static let edgeReads = 17
  /// How long a line rests whose edges come faster than that: forty readings a second are enough for thousands of edges,
  /// and the kernel's buffer holds 1,024.
  static let edgeRest = Duration.milliseconds(25)

  /// The descriptor of a line whose kernel tells of edges is ready.
  func readEdges(_ events: IOSource.Events, _ index: Int) {
    let line = held[index]
    guard let handle = line.handle else { return }
    do throws(GPIOFault) {
      let count = try takeEdges(of: line, handle)
      // Would be reported again and again.
      if count == 0, !events.isDisjoint(with: [.hangup, .error]) { throw .gone("\(line.options.chip)") }
    } catch { return lose(error, index) }
    let now = Uptime.monotonic
    let isFast = now - line.lastRead < Self.edgeRest
    line.lastRead = now
    guard isFast, let source = line.source else { return }
    do { try source.setEnabled(false) } catch { return }
    line.isResting = true
    line.timer?.arm(after: Self.edgeRest)
  }

  /// Looks at the descriptor again.
  func resume(_ index: Int) {
    let line = held[index]
    line.isResting = false
    line.lastRead = Uptime.monotonic
    do { try line.source?.setEnabled(true) } catch {
      lose(GPIOFault(.failed, "cannot watch \(line.options.chip)", error), index)
    }
  }

  /// - Returns: How many there were.
  private func takeEdges(of line: Line, _ handle: any GPIOLineHandle) throws(GPIOFault) -> Int {
    var edges: [GPIOEdge] = []
    // What was read before a failure counts.
    defer {
      line.changes &+= UInt64(edges.count)
      if !edges.isEmpty { edgeHandler(GPIOEdges(line: line.options.name, edges: edges)) }
    }
    for _ in 0..<Self.edgeReads {
      let changes = try handle.takeChanges()
      if changes.isEmpty { break }
      for change in changes { edges.append(GPIOEdge(change)) }
    }
    return edges.count
  }

  /// Takes what waits in the kernel's buffer, which goes with the descriptor.
  func drainEdges(of line: Line) {
    guard line.hasEdgeEvents, let handle = line.handle else { return }
    // A chip that is gone has told all it had to tell.
    do throws(GPIOFault) { _ = try takeEdges(of: line, handle) } catch {}
  }

  /// A level stands that is another: an edge, where nobody but the level tells.
  func note(_ change: GPIOChange, of line: Line) {
    guard line.options.edges.contains(change.value) else { return }
    edgeHandler(GPIOEdges(line: line.options.name, edges: [GPIOEdge(change)]))
  }

  // MARK: Polling

  /// Readings in a row that may fail before the line counts as lost: a bus has its disturbances.
  static let toleratedReads = 3

  /// Reads a line that has no interrupt; the next time comes when that is done.
  func poll(_ handle: any GPIOLineHandle, _ index: Int) {
    call(index) {
      Result { () throws(GPIOFault) in try handle.sample() }
    } then: { controller, result in
      controller.polled(handle, result, index)
    }
  }

  private func polled(_ handle: any GPIOLineHandle, _ result: Result<Bool, GPIOFault>, _ index: Int) {
    let line = held[index]
    // Dropped meanwhile.
    guard line.handle === handle else { return }
    switch result {
    case .failure(let fault) where fault.code == .failed && line.failedReads < Self.toleratedReads:
      line.failedReads += 1
      line.timer?.arm(after: line.options.poll)
    case .success(let value):
      line.failedReads = 0
      line.timer?.arm(after: line.options.poll)
      let (now, time) = (Uptime.monotonic, CaptureTime.now())
      let change = GPIOChange(value: value, time: time, nanoseconds: now.wholeNanoseconds)
      if case .stands(let change) = line.debouncer.see(change, now: now) { report(change, index) }
    case .failure(let fault): lose(fault, index)
    }
  }
}

extension GPIOController.Line {
  /// Whether `value` is the level as it is now: what is counted says edges, not levels.
  var isLevelKnown: Bool { handle != nil && options.meter == nil }

  /// Whether the kernel itself tells of each edge.
  var hasEdgeEvents: Bool {
    guard options.meter != nil, let handle, !handle.isPolled, case .device = options.chip else { return false }
    return true
  }
}

extension GPIOEdge {
  fileprivate init(_ change: GPIOChange) {
    self.init(
      change.value, at: change.nanoseconds > 0 ? change.nanoseconds : Uptime.monotonic.wholeNanoseconds,
      missed: change.missed)
  }
}

extension Duration {
  /// 0 for a negative one; bounded at 500 years.
  var wholeNanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return UInt64(min(seconds, 16_000_000_000)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }
}
