internal import Telemetry
internal import YAML

extension LineFieldMaker {
  /// The fields of a list such as `[a, b:int, _]`; what is wrong is reported at its place.
  func fields(_ key: String, _ reader: inout MappingReader) -> [LineField?]? {
    guard let items = reader.list(key) else { return nil }
    var fields: [LineField?] = []
    let errorsBefore = reader.diagnostics.errorCount
    for (number, item) in items.enumerated() where item.value != .invalid {
      let path = "\(reader.path(of: key))[\(number)]"
      guard let text = item.text, !item.isNull else {
        reader.diagnostics.error(at: item, "\(path) is \(item.described()); expected a name such as t, n:int or d:text")
        continue
      }
      do throws(SettingsMistake) { fields.append(try field(text)) } catch {
        reader.diagnostics.error(at: item, "\(path): \(error.message)")
      }
    }
    guard reader.diagnostics.errorCount == errorsBefore else { return nil }
    do throws(SettingsMistake) { try Self.check(fields.compactMap { $0 }) } catch {
      reader.error(at: key, "\(reader.path(of: key)): \(error.message)")
      return nil
    }
    return fields
  }
}

extension MappingReader {
  /// One ASCII character that is no line end, such as a separator.
  fileprivate mutating func asciiCharacter(_ key: String) -> UInt8? {
    guard let text = string(key) else { return nil }
    if let byte = text.utf8.first, text.utf8.count == 1, byte < 0x80, byte != UInt8(ascii: "\n"),
      byte != UInt8(ascii: "\r"), byte != UInt8(ascii: "\"")
    {
      return byte
    }
    error(at: key, "\(path(of: key)) is \(quoted(text)); expected one ASCII character such as \";\" or \"\\t\"")
    return nil
  }
}

extension DelimitedLine {
  init?(from reader: inout MappingReader, _ maker: LineFieldMaker) {
    let separator = reader.asciiCharacter("separator")
    guard let columns = maker.fields("csv", &reader) else { return nil }
    self.init(columns: columns, separator: separator ?? Self.defaultSeparator)
  }
}

extension KeyValueLine {
  init?(from reader: inout MappingReader, _ maker: LineFieldMaker) {
    self.init()
    guard case .mapping = reader.node("key_value")?.value, var options = reader.mapping("key_value") else {
      guard LineSettings.isOn("key_value", &reader) else { return nil }
      return
    }
    if let separator = options.asciiCharacter("separator") { separators = [separator] }
    if let assign = options.asciiCharacter("assign") { assigns = [assign] }
    if separators.contains(where: assigns.contains) {
      options.error(at: "assign", "\(options.path): separator and assign are the same character")
    }
    if options.has("keys") {
      guard let keys = maker.fields("keys", &options) else { return nil }
      fields = keys.compactMap { $0 }
    }
    guard options.finish() else { return nil }
  }
}

extension RegexLine {
  init?(from reader: inout MappingReader, _ maker: LineFieldMaker) {
    let path = reader.path(of: "regex")
    let types = Self.types(&reader, maker)
    guard let pattern = reader.requiredString("regex") else { return nil }
    do throws(RegularExpression.Mistake) { expression = try RegularExpression(pattern) } catch {
      let place = String(decoding: pattern.utf8.prefix(error.offset), as: UTF8.self).count + 1
      reader.error(at: "regex", "\(path): \(error.message), at character \(place) of \(quoted(pattern))")
      return nil
    }
    let names = expression.groups.map(\.name)
    for type in types where !names.contains(type.name) {
      reader.diagnostics.error(
        at: type.key, SensorOptions.unknownValue(type.name, in: reader.path(of: "types"), among: names))
    }
    do throws(SettingsMistake) {
      var targets: [Target] = []
      for group in expression.groups {
        let type = types.first { $0.name == group.name }?.type ?? .double
        targets.append(Target(field: try maker.field(group.name, type), groups: group.numbers))
      }
      self.targets = targets
    } catch {
      reader.error(at: "regex", "\(path): \(error.message)")
      return nil
    }
    guard !targets.isEmpty else {
      reader.error(at: "regex", "\(path) has no named group such as (?<temperature>[-0-9.]+); nothing would be read")
      return nil
    }
  }

  private struct TypeOption {
    let name: String
    let type: FieldType
    let key: YAMLNode
  }

  /// `types: {count: int, state: text}`.
  private static func types(_ reader: inout MappingReader, _ maker: LineFieldMaker) -> [TypeOption] {
    var types: [TypeOption] = []
    for entry in reader.entries("types") ?? [] where entry.value.value != .invalid {
      guard let word = entry.value.text, !entry.value.isNull else {
        reader.diagnostics.error(at: entry.value, "\(entry.path) is \(entry.value.described()); expected int or text")
        continue
      }
      do throws(SettingsMistake) {
        types.append(TypeOption(name: entry.name, type: try maker.type(word), key: entry.key))
      } catch {
        reader.diagnostics.error(at: entry.value, "\(entry.path): \(error.message)")
      }
    }
    return types
  }
}
