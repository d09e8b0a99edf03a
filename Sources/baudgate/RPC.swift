internal import ArgumentParser
internal import Telemetry

/// `baudgate rpc`: a client-side RPC, answered by the server's rule chain.
struct RPC: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rpc",
    abstract: "Call the server and print what its rule chain answers.",
    discussion: "A client-side RPC: `baudgate rpc getWeather '{\"city\":\"Oslo\"}'`. The daemon asks where it runs.")

  @OptionGroup var options: ConfigurationOption

  @Argument(help: "The method the rule chain knows.")
  var method: String

  @Argument(help: "Its parameters, JSON.")
  var params = "{}"

  func run() throws {
    let document: JSON
    do throws(JSONError) { document = try JSON(parsing: Array(params.utf8)) } catch {
      throw ValidationError("the parameters are no JSON: \(error)")
    }
    let answer = try ServerRequest(
      document: .object([
        .init("request", .string("rpc")), .init("method", .string(method)), .init("params", document),
      ])
    ).perform(options.config)
    print((answer["result"] ?? .null).text)
  }
}
