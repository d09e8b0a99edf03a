internal import ThingsBoard
internal import YAML

extension DeviceOptions {
  /// What a `{placeholder}` in a device's name may be.
  static let placeholders = ["hostname", "machine_id", "serial_number", "mac"]
  /// Characters of the longest name the server stores.
  static let longestName = 255

  /// Reads `device`, whose reader hides values.
  init?(from reader: inout MappingReader, in surroundings: Surroundings) {
    let name = Self.name(&reader)
    let identity = DeviceIdentity(from: &reader, in: surroundings)
    guard reader.finish(hints: ["access_token": "the key is \"token\""]), let identity else { return nil }
    self.init(name: name, identity: identity)
  }

  static func name(_ reader: inout MappingReader) -> String? {
    guard let name = reader.nonEmptyString("name") else { return nil }
    if name.utf16.count > longestName {
      reader.error(at: "name", "\(reader.path(of: "name")) is longer than \(longestName) characters")
    }
    var rest = name[...]
    while let open = rest.firstIndex(of: "{") {
      rest = rest[rest.index(after: open)...]
      guard let close = rest.firstIndex(of: "}") else {
        reader.error(at: "name", "\(reader.path(of: "name")) is \(quoted(name)); a { without }")
        break
      }
      let word = String(rest[..<close])
      rest = rest[rest.index(after: close)...]
      if placeholders.contains(word) { continue }
      let near = nearestWord(to: word, among: placeholders).map { "; did you mean \"{\($0)}\"?" } ?? ""
      reader.error(
        at: "name",
        "\(reader.path(of: "name")) has \(quoted("{\(word)}")); expected "
          + listed(placeholders.map { "{\($0)}" }, or: true) + near)
    }
    return name
  }
}
