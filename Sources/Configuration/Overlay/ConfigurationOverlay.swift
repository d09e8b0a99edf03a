public import Telemetry
internal import YAML

/// What the server wants otherwise than the file says: the shared attribute `baudgate`, a JSON object with the file's
/// structure.
///
/// Its shape is checked here, its meaning by `GatewayConfiguration.load`. Lists and scalars stand in the place of the
/// file's, mappings add to it.
public struct ConfigurationOverlay: Sendable, Equatable {
  /// Bytes of its text.
  public static let sizeLimit = 64 << 10
  /// Objects and lists inside one another; the deepest option needs 7.
  public static let depthLimit = 16
  /// Values in the whole of it, objects and lists included.
  public static let valueLimit = 4096
  /// Bytes of the longest name in it; a key the server takes has up to 255 characters.
  static let nameLimit = 1024
  /// How messages call it.
  static let subject = "attribute baudgate"

  /// An object. The members of each object are sorted by name, so that two overlays that say the same are equal.
  public let json: JSON

  /// - Throws: One message, which shows nothing of what stands there.
  public init(_ json: JSON) throws(ConfigurationErrors) {
    guard case .object = json else {
      throw Self.error("is \(json.kind); expected an object: ThingsBoard calls the type of the attribute JSON")
    }
    var values = 0
    self.json = try Self.checked(json, depth: 1, &values)
    let size = text.utf8.count
    if size > Self.sizeLimit { throw Self.tooLarge(size) }
  }

  /// Reads an overlay from its text, such as `text` of one that was kept.
  public init(parsing bytes: [UInt8]) throws(ConfigurationErrors) {
    // Told here, since the reader would only say at which byte it stopped.
    if bytes.count > Self.sizeLimit { throw Self.tooLarge(bytes.count) }
    let json: JSON
    do throws(JSONError) { json = try JSON(parsing: bytes) } catch { throw Self.error("is no JSON: \(error)") }
    try self.init(json)
  }

  /// The same text for overlays that say the same; `init(parsing:)` reads it.
  public var text: String { json.text }

  // MARK: Shape

  private static func checked(_ json: JSON, depth: Int, _ values: inout Int) throws(ConfigurationErrors) -> JSON {
    values += 1
    if values > valueLimit { throw error("has more than \(valueLimit) values") }
    switch json {
    case .null, .bool, .integer: return json
    case .double(let number):
      if number.isFinite { return json }
      throw error("has a number that is beyond a double")
    case .string(let text):
      try check(text)
      return json
    case .array(let elements):
      try check(depth: depth)
      var checked: [JSON] = []
      for element in elements { checked.append(try self.checked(element, depth: depth + 1, &values)) }
      return .array(checked)
    case .object(let members):
      try check(depth: depth)
      return .object(try self.checked(members, depth, &values))
    }
  }

  private static func checked(
    _ members: [JSON.Member], _ depth: Int, _ values: inout Int
  ) throws(ConfigurationErrors) -> [JSON.Member] {
    // By characters rather than bytes: the readers of the file would take two spellings of é for one key.
    var names: Set<String> = []
    var checked: [JSON.Member] = []
    for member in members {
      try check(member.name)
      let isLegal = !member.name.isEmpty && member.name.utf8.count <= nameLimit
      guard isLegal, !member.name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
        throw error(
          "has a name that is empty, longer than \(nameLimit) bytes or with a control character in it")
      }
      guard names.insert(member.name).inserted else { throw error("has a name twice in one object") }
      checked.append(JSON.Member(member.name, try self.checked(member.value, depth: depth + 1, &values)))
    }
    return checked.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  private static func check(depth: Int) throws(ConfigurationErrors) {
    if depth > depthLimit { throw error("is nested deeper than \(depthLimit) levels") }
  }

  /// As in a file.
  private static func check(_ text: String) throws(ConfigurationErrors) {
    if text.utf8.contains(0) { throw error("has text with a NUL character (\\u0000)") }
  }

  private static func tooLarge(_ size: Int) -> ConfigurationErrors {
    error("has \(size) bytes; at most \(sizeLimit) (\(configuredSize(sizeLimit))) are read")
  }

  private static func error(_ message: String) -> ConfigurationErrors {
    ConfigurationErrors(
      errors: [Diagnostic(file: subject, line: 0, column: 0, origin: subject, message: message)], warnings: [])
  }
}

extension JSON {
  /// What it is, for a message that does not show it.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "true or false"
    case .integer, .double: "a number"
    case .string: "text"
    case .array: "a list"
    case .object: "an object"
    }
  }
}
