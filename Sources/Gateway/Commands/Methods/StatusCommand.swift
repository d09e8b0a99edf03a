internal import Telemetry

/// `getStatus`: what `baudgate status --json` prints, without the shared attributes' values, which may be secrets that
/// whoever sends commands may not see, and shortened where it is more than a reply may hold.
struct StatusCommand: Command {
  /// Bytes of the reply; the server takes 64 KiB with what a proxy may add.
  static let sizeLimit = 60 << 10

  func methods(_: CommandContext) -> [String] { ["getStatus"] }

  func hasLastingEffect(_: String, _: JSON, _: CommandContext) -> Bool { false }

  func run(_: String, _: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    Self.shortened(Self.withoutSharedValues(await context.status()), to: Self.sizeLimit)
  }

  /// First the sensors lose their values and units, which are telemetry anyhow; then the largest members go, and are
  /// named in `left_out`.
  static func shortened(_ status: JSON, to limit: Int) -> JSON {
    guard size(status) > limit, case .object(var members) = status else { return status }
    for index in members.indices where members[index].name == "sensors" {
      guard case .object(let sensors) = members[index].value else { continue }
      members[index].value = .object(sensors.map { JSON.Member($0.name, withoutValues($0.value)) })
    }
    var leftOut: [JSON] = [.string("values")]
    while size(document(members, leftOut)) > limit,
      let largest = members.indices.max(by: { size(members[$0].value) < size(members[$1].value) })
    {
      leftOut.append(.string(members.remove(at: largest).name))
    }
    return document(members, leftOut)
  }

  private static func document(_ members: [JSON.Member], _ leftOut: [JSON]) -> JSON {
    .object(members + [JSON.Member("left_out", .array(leftOut))])
  }

  static func withoutSharedValues(_ status: JSON) -> JSON {
    guard case .object(var members) = status else { return status }
    for index in members.indices where members[index].name == "shared_attributes" {
      members[index].value = withoutValues(members[index].value)
    }
    return .object(members)
  }

  private static func withoutValues(_ part: JSON) -> JSON {
    guard case .object(let members) = part else { return part }
    return .object(members.filter { $0.name != "values" && $0.name != "units" })
  }

  private static func size(_ json: JSON) -> Int {
    var bytes: [UInt8] = []
    json.write(into: &bytes)
    return bytes.count
  }
}
