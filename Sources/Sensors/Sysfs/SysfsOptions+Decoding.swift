internal import Telemetry
internal import YAML

/// `channels: {tank: in_voltage0}`: a value's name and where it is read.
struct SysfsPlace {
  let value: SysfsValue
  let text: String
  let node: YAMLNode
  /// As messages call it.
  let path: String
}

extension MappingReader {
  /// The entries of `option`, at least one; `nil` where it is absent or something is wrong, which is reported at its
  /// place.
  ///
  /// - Parameter expecting: What stands behind a name, for messages.
  mutating func places(_ option: String, expecting: String, _ naming: KeyNaming, _ scales: ScaleOptions)
    -> [SysfsPlace]?
  {
    guard let entries = entries(option) else { return nil }
    guard (1...SysfsLimits.values).contains(entries.count) else {
      error(at: option, "\(path(of: option)) has \(entries.count) entries; expected 1 to \(SysfsLimits.values)")
      return nil
    }
    var places: [SysfsPlace] = []
    for entry in entries where entry.value.value != .invalid {
      guard let text = entry.value.text, !text.isEmpty, !entry.value.isNull else {
        diagnostics.error(
          at: entry.value, "\(entry.path) is \(entry.value.described()); expected \(expecting)")
        continue
      }
      guard let value = sysfsValue(entry.name, at: entry.key, naming, scales) else { continue }
      places.append(SysfsPlace(value: value, text: text, node: entry.value, path: entry.path))
    }
    return places.count == entries.count ? places : nil
  }

  /// The place of a sensor with one value, `temperature`.
  mutating func singlePlace(_ option: String, _ naming: KeyNaming, _ scales: ScaleOptions) -> SysfsPlace? {
    guard let text = nonEmptyString(option), let node = node(option) else { return nil }
    let value = sysfsValue(SysfsPlace.onlyName, at: node, naming, scales)
    return value.map { SysfsPlace(value: $0, text: text, node: node, path: path(of: option)) }
  }

  private func sysfsValue(
    _ name: String, at node: YAMLNode, _ naming: KeyNaming, _ scales: ScaleOptions
  ) -> SysfsValue? {
    do throws(KeyError) {
      return SysfsValue(name: name, key: try naming.key(name), scale: scales.scales[name])
    } catch {
      diagnostics.error(at: node, "\(quoted(name)) cannot be a key: \(error)")
      return nil
    }
  }
}

extension SysfsPlace {
  /// The value of a sensor with a single one.
  static let onlyName = "temperature"
}
