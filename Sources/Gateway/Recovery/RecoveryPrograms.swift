internal import Configuration
internal import EventLoop
internal import Telemetry

/// The programs of `rpc.run`, as steps of a ladder.
struct RecoveryPrograms: Sendable {
  /// Bytes of the output, its end, that a failure is told with.
  static let outputLimit = 400

  private let rpc: RPCOptions
  private let pool: BlockingPool

  /// - Parameter pool: Where programs are waited for.
  init(_ rpc: RPCOptions, pool: BlockingPool) {
    self.rpc = rpc
    self.pool = pool
  }

  var names: Set<String> { Set(rpc.run.keys) }

  func run(_ name: String) async -> StepResult {
    guard let arguments = rpc.run[name] else {
      return .skipped("rpc.run has no \(name); correct the step or add the program")
    }
    let program: Program
    do throws(SystemError) { program = try Program(arguments, limit: rpc.runTimeLimit) } catch {
      return .failed("cannot start: \(error)")
    }
    do throws(Program.Failure) {
      let outcome = try await program.run(on: pool)
      if outcome.exit == 0 { return .done }
      let end = outcome.signal.map { "was ended by signal \($0)" } ?? "ended with status \(outcome.exit)"
      let output = oneLine(String(decoding: outcome.output.suffix(Self.outputLimit), as: UTF8.self))
      return .failed("\(end)\(output.allSatisfy(\.isWhitespace) ? " and said nothing" : ", saying: \(output)")")
    } catch {
      switch error {
      case .cannotStart(let cause): return .failed("cannot start: \(cause)")
      case .timedOut: return .failed("ran longer than \(rpc.runTimeLimit.forHumans) and was ended (rpc.run_time_limit)")
      case .cancelled: return .failed("was ended, as the gateway stopped")
      }
    }
  }
}
