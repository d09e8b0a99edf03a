internal import YAML

/// `scale: {temperature: 0.1}` and `offset: {temperature: -3}`.
struct ScaleOptions {
  private struct Named {
    let name: String
    let path: String
    let key: YAMLNode
  }

  private var names: [Named] = []
  private(set) var scales: [String: LinearScale] = [:]

  init(from reader: inout MappingReader) {
    let factors = numbers("scale", &reader)
    let offsets = numbers("offset", &reader)
    for name in Set(factors.keys).union(offsets.keys) {
      scales[name] = LinearScale(scale: factors[name] ?? 1, offset: offsets[name] ?? 0)
    }
  }

  private mutating func numbers(_ option: String, _ reader: inout MappingReader) -> [String: Double] {
    var numbers: [String: Double] = [:]
    for entry in reader.entries(option) ?? [] where entry.value.value != .invalid {
      names.append(Named(name: entry.name, path: reader.path(of: option), key: entry.key))
      guard let number = entry.value.double, option != "scale" || number != 0 else {
        let expected = option == "scale" ? "a number other than 0" : "a number"
        reader.diagnostics.error(
          at: entry.value, "\(entry.path) is \(entry.value.described()); expected \(expected)")
        continue
      }
      numbers[entry.name] = number
    }
    return numbers
  }

  /// Refuses names the sensor does not deliver and those that are text.
  ///
  /// - Parameters:
  ///   - known: All names; `nil` where only what arrives will tell.
  ///   - text: Those of them that are text.
  func check(among known: [String]?, text: [String] = [], _ reader: MappingReader) {
    guard let known else { return }
    for named in names {
      if !known.contains(named.name) {
        reader.diagnostics.error(
          at: named.key, SensorOptions.unknownValue(named.name, in: named.path, among: known))
      } else if text.contains(named.name) {
        reader.diagnostics.error(at: named.key, "\(named.path) has \(quoted(named.name)), which is text")
      }
    }
  }
}
