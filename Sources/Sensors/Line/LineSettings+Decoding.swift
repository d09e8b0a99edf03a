internal import Telemetry
internal import YAML

extension LineSettings {
  private static let formats = ["template", "csv", "key_value", "json", "regex"]
  /// The shortest `max_line`, bytes.
  private static let leastLimit = 16

  init?(from reader: inout MappingReader, _ naming: KeyNaming) {
    let lineLimit = reader.integer("max_line", in: Self.leastLimit...LineFramer.greatestLimit)
    let scales = ScaleOptions(from: &reader)
    let maker = LineFieldMaker(naming, scales: scales.scales)
    let given = Self.formats.filter { reader.node($0) != nil }
    guard let name = given.first, given.count == 1 else {
      // Whose they are cannot be said; that is no second mistake.
      _ = (reader.node("separator"), reader.node("types"))
      let found = given.isEmpty ? "no format" : listed(given)
      reader.error(
        at: given.dropFirst().first ?? "",
        "\(reader.path) has \(found); a line sensor needs exactly one of \(listed(Self.formats, or: true))")
      return nil
    }
    guard let format = Self.format(name, &reader, maker) else { return nil }
    self.format = format
    self.scales = scales.scales
    self.lineLimit = lineLimit ?? LineFramer.defaultLimit
    scales.check(among: fields?.map(\.name), text: fields?.filter { $0.type == .text }.map(\.name) ?? [], reader)
  }

  private static func format(_ name: String, _ reader: inout MappingReader, _ maker: LineFieldMaker) -> Format? {
    switch name {
    case "template": template(&reader, maker).map(Format.template)
    case "csv": DelimitedLine(from: &reader, maker).map(Format.delimited)
    case "key_value": KeyValueLine(from: &reader, maker).map(Format.keyValue)
    case "regex": RegexLine(from: &reader, maker).map(Format.regex)
    default: isOn("json", &reader) ? .json : nil
    }
  }

  private static func template(_ reader: inout MappingReader, _ maker: LineFieldMaker) -> LineTemplate? {
    guard let text = reader.string("template") else { return nil }
    do throws(SettingsMistake) { return try LineTemplate(text, maker) } catch {
      reader.error(at: "template", "\(reader.path(of: "template")) \(quoted(text)): \(error.message)")
      return nil
    }
  }

  /// Whether a format that needs no more words is `true`; `false` is refused, as it would mean nothing.
  static func isOn(_ key: String, _ reader: inout MappingReader) -> Bool {
    guard let isOn = reader.boolean(key) else { return false }
    if !isOn { reader.error(at: key, "\(reader.path(of: key)) is false; remove it, or write true") }
    return isOn
  }
}
