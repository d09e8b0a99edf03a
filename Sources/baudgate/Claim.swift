internal import ArgumentParser
internal import Configuration
internal import Telemetry
internal import YAML

/// `baudgate claim`: lets a customer take this device over.
struct Claim: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Let a customer claim this device.",
    discussion: "Secret and duration are those of `claim:` in the configuration unless given here.")

  @OptionGroup var options: ConfigurationOption

  @Option(help: ArgumentHelp("A file with what the customer has to know.", valueName: "file"))
  var secretFile: String?

  @Option(help: "How long it may be claimed, such as 10m or 1h.")
  var duration: String?

  func run() throws {
    var members: [JSON.Member] = [.init("request", .string("claim"))]
    if let secretFile { members.append(.init("secret", .string(try Self.secret(in: secretFile)))) }
    if let duration {
      guard let parsed = Duration(configured: duration), parsed >= .seconds(1), parsed <= .seconds(30 * 86_400) else {
        throw ValidationError("--duration is \(duration); expected 1s to 30d such as 10m or 1h")
      }
      members.append(.init("duration_ms", .integer(parsed.components.seconds * 1000)))
    }
    _ = try ServerRequest(document: .object(members)).perform(options.config)
    print("the server has been told that this device may be claimed")
  }

  private static func secret(in path: String) throws -> String {
    do throws(SecretFileError) { return try readSecret(inFile: path) } catch {
      throw ValidationError("\(path) \(error)")
    }
  }
}
