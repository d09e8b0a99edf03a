public import EventLoop
internal import YAML

/// What became of one output.
public struct SafeOutcome: Sendable, Hashable {
  public enum Result: Sendable, Hashable {
    /// It was driven, and reads so.
    case driven
    /// `safe: hold`: nothing was done.
    case held
    /// Why it was not; what to do.
    case failed(String)
  }

  public var line: String
  public var safe: GPIOLineOptions.Safe
  public var result: Result

  public init(line: String, safe: GPIOLineOptions.Safe, result: Result) {
    self.line = line
    self.safe = safe
    self.result = result
  }
}

/// Drives outputs to their safe values in place of a daemon that is not there any more: `baudgate safe`.
///
/// The value travels in the request, so that nothing is switched in between, and the line is given back at once. What
/// becomes of it then is the chip driver's to say: those of a Raspberry Pi's own kernel leave the level for ever.
public enum SafeValues {
  /// How long all chips together may take; the service manager waits for longer.
  public static let limit = Duration.seconds(10)

  /// - Returns: What became of each output, in the order of the file.
  public static func drive(_ options: GPIOOptions, on loop: EventLoop, pool: BlockingPool) async -> [SafeOutcome] {
    await drive(options, on: loop, pool: pool, limit: limit, request: requestLine)
  }

  /// Off goes before on, so that no interlock is broken.
  static func drive(
    _ options: GPIOOptions, on loop: EventLoop, pool: BlockingPool, limit: Duration, request: @escaping GPIORequester
  ) async -> [SafeOutcome] {
    let outputs = options.lines.filter { $0.direction == .output }
    let interlocks = Interlocks(options.interlocks)
    var results: [String: SafeOutcome.Result] = [:]
    for line in outputs where line.safe == .hold { results[line.name] = .held }
    let off = outputs.filter { $0.safe == .off }
    // Each half of the time.
    results.merge(await drive(off, on: loop, pool, limit / 2, request)) { _, new in new }
    var on: [GPIOLineOptions] = []
    for line in outputs where line.safe == .on {
      if let other = interlocks.partners(of: line.name).first(where: { results[$0] != .driven }) {
        results[line.name] = .failed(
          "is not switched on, since \(other) could not be driven off and both are never on together (gpio.interlocks)")
      } else {
        on.append(line)
      }
    }
    let gap = on.map { interlocks.gap(of: $0.name) }.max() ?? .zero
    if gap > .zero { try? await loop.sleep(for: gap) }
    results.merge(await drive(on, on: loop, pool, limit / 2, request)) { _, new in new }
    return outputs.map { line in
      SafeOutcome(line: line.name, safe: line.safe, result: results[line.name] ?? .failed("was not tried"))
    }
  }

  /// All at once: a bus that hangs holds up none of the others.
  private static func drive(
    _ lines: [GPIOLineOptions], on loop: EventLoop, _ pool: BlockingPool, _ limit: Duration,
    _ request: @escaping GPIORequester
  ) async -> [String: SafeOutcome.Result] {
    guard !lines.isEmpty else { return [:] }
    let round = Round(lines.map(\.name))
    for line in lines {
      pool.submit {
        let result = drive(line, request)
        loop.execute { round.ended(line.name, result) }
      }
    }
    let clock = Task(executorPreference: loop) {
      try await loop.sleep(for: limit)
      round.timeIsUp(limit)
    }
    defer { clock.cancel() }
    return await withCheckedContinuation { continuation in loop.execute { round.wait(continuation) } }
  }

  private static func drive(_ line: GPIOLineOptions, _ request: GPIORequester) -> SafeOutcome.Result {
    var line = line
    line.initial = line.safe == .on
    do throws(GPIOFault) {
      let handle = try request(line, false)
      defer { handle.release() }
      guard let value = handle.first, value == line.initial else {
        return .failed(
          "was driven \(line.safe.rawValue) and reads otherwise; something else drives the line, or it is "
            + "short-circuited: look at the wiring")
      }
      return .driven
    } catch { return .failed(error.description) }
  }
}

/// Lines that are driven at the same time. @unchecked: used on the loop alone.
private final class Round: @unchecked Sendable {
  private var open: Set<String>
  private var results: [String: SafeOutcome.Result] = [:]
  private var continuation: CheckedContinuation<[String: SafeOutcome.Result], Never>?

  init(_ lines: [String]) { open = Set(lines) }

  func ended(_ line: String, _ result: SafeOutcome.Result) {
    guard open.remove(line) != nil else { return }
    results[line] = result
    finish()
  }

  func timeIsUp(_ limit: Duration) {
    for line in open {
      results[line] = .failed("the chip has not answered for \(limit.forHumans), its driver is stuck; check its bus")
    }
    open = []
    finish()
  }

  func wait(_ continuation: CheckedContinuation<[String: SafeOutcome.Result], Never>) {
    self.continuation = continuation
    finish()
  }

  private func finish() {
    guard open.isEmpty else { return }
    continuation?.resume(returning: results)
    continuation = nil
  }
}
