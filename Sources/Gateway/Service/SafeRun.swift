public import Configuration
internal import EventLoop
public import Hardware

/// `baudgate safe`: outputs take their safe values where no daemon runs.
public enum SafeRun {
  public enum Outcome: Sendable, Equatable {
    /// What became of each output.
    case done([SafeOutcome])
    /// A daemon lives and holds the lines; nothing was touched. Its process id where it is known.
    case daemonLives(pid: Int32?)
    /// The process is short of something.
    case failed(String)
  }

  /// Holds the state directory meanwhile, as a daemon does. Where it cannot be locked for another reason than a daemon,
  /// the lines are driven all the same: what a daemon holds, the kernel gives to nobody else.
  ///
  /// - Parameters:
  ///   - configuration: As the file is now.
  ///   - used: The one the daemon ran with last: a file may have been edited since. `nil` where it is not known.
  public static func perform(_ configuration: GatewayConfiguration, used: GatewayConfiguration?) -> Outcome {
    let lock: StateLock?
    do throws(StateLock.Failure) { lock = try StateLock(configuration.stateDirectory) } catch {
      if case .held(let holder) = error { return .daemonLives(pid: holder) }
      lock = nil
    }
    let options = configuration.gpio.adding(used?.gpio ?? GPIOOptions())
    let outcome: Outcome
    do {
      let loop = try EventLoop()
      let pool = BlockingPool(name: "gpio", threads: Supervisor.portThreadLimit)
      outcome = .done(try loop.run { await SafeValues.drive(options, on: loop, pool: pool) })
    } catch { outcome = .failed("\(error)") }
    _ = consume lock
    return outcome
  }
}

extension GPIOOptions {
  /// With the outputs of others that are not among these lines.
  func adding(_ others: GPIOOptions) -> GPIOOptions {
    var result = self
    var names: [String: String] = [:]
    for var line in others.lines where line.direction == .output {
      // What is here is meant as it is here.
      guard !lines.contains(where: { $0.chip == line.chip && $0.selector == line.selector }) else { continue }
      let name = line.name
      while result.lines.contains(where: { $0.name == line.name }) { line.name += " (before)" }
      names[name] = line.name
      result.lines.append(line)
    }
    let known = Set(result.lines.map(\.name))
    for var interlock in others.interlocks where !interlocks.contains(interlock) {
      interlock.lines = interlock.lines.map { names[$0] ?? $0 }.filter(known.contains)
      if interlock.lines.count > 1 { result.interlocks.append(interlock) }
    }
    return result
  }
}
