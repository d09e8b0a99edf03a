internal import Telemetry
internal import YAML

/// The type of a value a person gave a name to.
enum FieldType: String, Sendable, Hashable, CaseIterable {
  /// DOUBLE: a name alone.
  case double
  /// LONG: `name:int`.
  case int
  /// STRING: `name:text`.
  case text

  /// What may stand behind the colon; a double needs no word.
  static let words = ["int", "text"]
}

/// A place in a line that becomes a value. A class, so that reading a line copies one reference a field.
final class LineField: Sendable, Hashable {
  /// As configured, without prefix.
  let name: String
  let key: Key
  let type: FieldType
  let scale: LinearScale?

  /// The value `text` spells.
  func value(of text: ArraySlice<UInt8>) throws(LineMismatch) -> Value {
    switch type {
    case .text: return .string(try self.text(text))
    case .int:
      switch NumberText.integer(text) {
      case .number(let number): return scale.map { .double($0(Double(number))) } ?? .long(number)
      case .outOfRange: throw LineMismatch(.outOfRange, .outOfRange(name, text))
      case .malformed: throw LineMismatch(.notNumber, .notWhole(name, text))
      }
    case .double:
      guard let number = NumberText.double(text) else { throw LineMismatch(.notNumber, .notNumber(name, text)) }
      let value = scale.map { $0(number) } ?? number
      guard value.isFinite else { throw LineMismatch(.outOfRange, .outOfRange(name, text)) }
      return .double(value)
    }
  }

  private func text(_ bytes: ArraySlice<UInt8>) throws(LineMismatch) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw LineMismatch(.notUTF8, .notUTF8(name)) }
    return text
  }

  init(name: String, key: Key, type: FieldType, scale: LinearScale?) {
    self.name = name
    self.key = key
    self.type = type
    self.scale = scale
  }
  static func == (a: LineField, b: LineField) -> Bool {
    a.name == b.name && a.key == b.key && a.type == b.type && a.scale == b.scale
  }
  func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// A mistake in an option's text; who knows the option's place reports it there.
struct SettingsMistake: Error, Hashable {
  let message: String
}

/// Makes fields from what a person wrote: `name`, `name:int`, `name:text`, `_`.
struct LineFieldMaker {
  let naming: KeyNaming
  let scales: [String: LinearScale]

  init(_ naming: KeyNaming, scales: [String: LinearScale] = [:]) {
    self.naming = naming
    self.scales = scales
  }

  /// - Returns: `nil` for `_`, which skips.
  func field(_ specification: String) throws(SettingsMistake) -> LineField? {
    if specification == "_" { return nil }
    guard let colon = specification.lastIndex(of: ":") else { return try field(specification, .double) }
    let name = String(specification[..<colon])
    let word = String(specification[specification.index(after: colon)...])
    guard name != "_" else { throw SettingsMistake(message: "\"_\" skips and has no type") }
    return try field(name, type(word))
  }

  func type(_ word: String) throws(SettingsMistake) -> FieldType {
    switch word {
    case "int": return .int
    case "text": return .text
    default:
      let hint = nearestWord(to: word, among: FieldType.words).map { "; did you mean \(quoted($0))?" } ?? ""
      throw SettingsMistake(message: "\(quoted(word)) is no type; expected int or text, or no type for a number\(hint)")
    }
  }

  func field(_ name: String, _ type: FieldType) throws(SettingsMistake) -> LineField {
    let key: Key
    do throws(KeyError) { key = try naming.key(name) } catch {
      throw SettingsMistake(message: "\(quoted(name)) cannot be a key: \(error)")
    }
    return LineField(name: name, key: key, type: type, scale: scales[name])
  }

  /// Refuses a list of fields without a value or with one name twice.
  static func check(_ fields: [LineField]) throws(SettingsMistake) {
    guard !fields.isEmpty else { throw SettingsMistake(message: "no value has a name; nothing would be read") }
    var names: Set<String> = []
    for field in fields where !names.insert(field.name).inserted {
      throw SettingsMistake(message: "\(quoted(field.name)) stands there twice; each name needs a value of its own")
    }
  }
}
