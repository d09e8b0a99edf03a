internal import EventLoop
internal import Telemetry
internal import YAML

/// `run {"command":"restart-modem"}` or `run "restart-modem"`: a program of `rpc.run`, never anything else:
/// `{"exit":0,"output":"…"}`, with `"signal":9` where a signal ended it (and 128 more as exit, as a shell has it).
struct RunCommand: Command {
  /// Bytes of the reply; control characters take six each.
  static let replyLimit = 24 << 10

  func methods(_: CommandContext) -> [String] { ["run"] }

  func hasLastingEffect(_: String, _: JSON, _: CommandContext) -> Bool { true }

  func run(_ method: String, _ params: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    let known = context.rpc.run.keys.sorted()
    guard case .string(let name) = params.member("command") ?? params else {
      throw CommandError(
        .badParams,
        #"\#(method) needs a command: {"command":"restart-modem"}; rpc.run has \#(nameList(known))"#)
    }
    guard let arguments = context.rpc.run[name] else {
      let hint = nearestWord(to: name, among: known).map { "; did you mean \"\($0)\"?" }
      throw CommandError(
        .badParams, "there is no command \"\(shortened(name))\"\(hint ?? "; rpc.run has \(nameList(known))")")
    }
    let program: Program
    do throws(SystemError) { program = try Program(arguments, limit: context.rpc.runTimeLimit) } catch {
      throw CommandError(.unavailable, "cannot start \(name): \(error)")
    }
    do throws(Program.Failure) {
      return Self.reply(try await program.run(on: context.programs))
    } catch {
      switch error {
      case .cannotStart(let cause): throw CommandError(.unavailable, "cannot start \(name): \(cause)")
      case .timedOut:
        throw CommandError(
          .timeout, "\(name) ran longer than \(context.rpc.runTimeLimit.configured) and was ended (rpc.run_time_limit)")
      case .cancelled: throw .interrupted
      }
    }
  }

  static func reply(_ result: Program.Outcome) -> JSON {
    var members: [JSON.Member] = [.init("exit", .integer(Int64(result.exit)))]
    if let signal = result.signal { members.append(.init("signal", .integer(Int64(signal)))) }
    var output = result.output[...]
    var text = JSON.string(String(decoding: output, as: UTF8.self))
    var isCut = result.isCut
    // What is no text takes up to six bytes a byte as JSON.
    while text.text.utf8.count > replyLimit {
      output = output.prefix(output.count * 3 / 4)
      text = .string(String(decoding: output, as: UTF8.self))
      isCut = true
    }
    members.append(.init("output", text))
    if isCut { members.append(.init("cut", .bool(true))) }
    return .object(members)
  }
}
