internal import ArgumentParser
internal import Configuration
internal import Gateway
internal import Hardware
internal import Telemetry

/// `baudgate safe`: what `ExecStopPost=` does after the daemon, however that ended.
struct Safe: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Drive the outputs to their safe values, where no daemon runs.",
    discussion: """
      The unit does so after each stop, crash and kill. Outputs with `safe: hold` are left alone. The exit status is 0 \
      when all were driven, 1 when one could not be, 75 while a daemon runs, which holds the lines itself, and 78 \
      without a configuration that can be used. Where the file has errors the last good one is used.
      """)

  /// sysexits(3).
  private static let temporaryFailure: Int32 = 75
  private static let configurationError: Int32 = 78

  @OptionGroup var options: ConfigurationOption

  @Flag(help: "Print what became of each output as JSON.")
  var json = false

  func run() throws {
    guard let configuration = ConfigurationInUse.load(options.config) else {
      printError(
        "baudgate: \(options.config) is not valid and there is no last good one, so that no output is known; see "
          + "`baudgate check --config \(options.config)`")
      throw ExitCode(Self.configurationError)
    }
    switch SafeRun.perform(configuration, used: OneShot.lastGoodConfiguration(options.config)) {
    case .done(let outcomes):
      if json { print(Self.document(outcomes).text) } else { Self.tell(outcomes) }
      if outcomes.contains(where: \.isFailure) { throw ExitCode.failure }
    case .daemonLives(let pid):
      printError(
        "baudgate: a daemon runs\(pid.map { " (process \($0))" } ?? "") and holds the lines; nothing was touched. Stop it "
          + "first, `systemctl stop baudgate`: it leaves them safe by itself")
      throw ExitCode(Self.temporaryFailure)
    case .failed(let reason):
      printError("baudgate: \(reason)")
      throw ExitCode.failure
    }
  }

  private static func tell(_ outcomes: [SafeOutcome]) {
    if outcomes.isEmpty { print("there are no outputs") }
    for outcome in outcomes {
      switch outcome.result {
      case .driven: print("\(outcome.line): \(outcome.safe.rawValue)")
      case .held: print("\(outcome.line): left as it is (hold)")
      case .failed(let reason):
        printError("baudgate: \(outcome.line): not \(outcome.safe.rawValue): \(oneLine(reason))")
      }
    }
  }

  private static func document(_ outcomes: [SafeOutcome]) -> JSON {
    .object([.init("lines", .object(outcomes.map { .init($0.line, .object($0.members)) }))])
  }
}

extension SafeOutcome {
  fileprivate var isFailure: Bool {
    if case .failed = result { true } else { false }
  }

  fileprivate var members: [JSON.Member] {
    var members: [JSON.Member] = [.init("safe", .string(safe.rawValue))]
    switch result {
    case .driven: members.append(.init("result", .string("driven")))
    case .held: members.append(.init("result", .string("held")))
    case .failed(let reason): members += [.init("result", .string("failed")), .init("error", .string(reason))]
    }
    return members
  }
}
