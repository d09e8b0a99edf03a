internal import Telemetry
public import YAML

extension SensorOptions {
  /// The longest `stale_after`.
  public static let greatestStaleAfter = Duration.seconds(30 * 24 * 3600)
  /// Of polled sensors. The least keeps a bus and the loop from doing nothing else.
  public static let intervalRange = Duration.milliseconds(10) ... .seconds(24 * 3600)
  /// Where a polled sensor has no `interval`.
  public static let defaultInterval = Duration.seconds(10)

  /// Reads one entry of `sensors:`; what is wrong goes to the reader's diagnostics.
  ///
  /// - Parameter name: The entry's name.
  /// - Returns: `nil`, and at least one message, when the entry cannot be used.
  public init?(from reader: inout MappingReader, name: String) {
    let named = reader.nonEmptyString("port")
    let entry = Self.protocolEntry(&reader)
    let hasPort = entry?.source.hasPort ?? true
    if hasPort { reader.require("port", "protocol") } else { reader.require("protocol") }
    let port = hasPort ? named : nil
    if !hasPort, reader.has("port") {
      reader.error(
        at: "port", "\(reader.path(of: "port")) does not belong here: \(entry?.name ?? "") reads files of the kernel")
    }
    let prefix = reader.boolean("prefix") ?? false
    let report = Self.report(&reader)
    let units = Self.units(&reader)
    let filters = Self.filters(&reader, report)
    let staleAfter = reader.duration("stale_after", in: .seconds(1)...Self.greatestStaleAfter)
    let device = reader.nonEmptyString("device")
    let isEnabled = reader.boolean("enabled") ?? true
    let interval = Self.interval(&reader, entry)
    guard let entry else {
      // The keys of an unknown protocol cannot be judged: `finish` would call all of them unknown.
      Self.reportMissing("port", &reader)
      Self.reportMissing("protocol", &reader)
      return nil
    }

    let naming = KeyNaming(sensor: name, hasPrefix: prefix, report: report)
    Self.checkName(name, naming, &reader)
    let settings = entry.decode(&reader, naming)
    if let names = settings?.valueNames {
      Self.checkUnits(units, among: names, &reader)
      Self.check(filters, among: names, reader)
    }
    guard reader.finish(hints: entry.hints), !hasPort || port != nil, let settings else { return nil }

    self.name = name
    self.port = port
    protocolName = entry.name
    self.device = device
    self.isEnabled = isEnabled
    self.prefix = prefix
    self.report = report
    self.units = settings.units.merging(units.map { ($0.name, $0.unit) }, uniquingKeysWith: { _, own in own })
    self.filters = filters.chains
    self.interval = interval
    self.staleAfter = staleAfter
    self.settings = settings
    switch report {
    case .telemetry, .attribute: keys = settings.valueNames?.compactMap { try? naming.key($0) }
    case .json: keys = (try? Key(name)).map { [$0] }
    }
  }

  private static func interval(_ reader: inout MappingReader, _ entry: ProtocolEntry?) -> Duration? {
    guard let entry, !entry.source.isPolled else {
      return reader.duration("interval", in: intervalRange) ?? (entry == nil ? nil : defaultInterval)
    }
    if reader.has("interval"), reader.node("interval") != nil {
      reader.error(
        at: "interval", "\(reader.path(of: "interval")) does not belong here: \(entry.name) sends by itself")
    }
    return nil
  }

  private static func protocolEntry(_ reader: inout MappingReader) -> ProtocolEntry? {
    guard let node = reader.node("protocol") else { return nil }
    if let text = node.text {
      if let entry = SensorProtocols.entry(named: text) { return entry }
      if SensorProtocols.announced.contains(text) {
        reader.error(
          at: "protocol", "\(reader.path(of: "protocol")) \(quoted(text)) is not supported yet by this version")
        return nil
      }
      if let hint = SensorProtocols.hints[text] {
        reader.error(at: "protocol", "\(reader.path(of: "protocol")) is \(quoted(text)); \(hint)")
        return nil
      }
    }
    let known = SensorProtocols.all.map(\.name)
    let expected = known.count == 1 ? known[0] : "one of " + listed(known, or: true)
    reader.mismatch("protocol", expected: expected, words: known + SensorProtocols.announced)
    return nil
  }

  /// Does for one key what `finish` does for all.
  private static func reportMissing(_ key: String, _ reader: inout MappingReader) {
    guard !reader.has(key), case .mapping(let entries) = reader.node.value else { return }
    if let near = entries.first(where: { nearestWord(to: $0.name, among: [key]) != nil }) {
      let message = "unknown key \(quoted(near.name)) in \(reader.path); did you mean \(quoted(key))?"
      reader.diagnostics.error(at: near.key, message)
    } else {
      reader.error(at: key, "\(reader.path) has no \(quoted(key)), which is required")
    }
  }

  private static func report(_ reader: inout MappingReader) -> Report {
    return reader.word("report", of: Report.self) ?? .telemetry
  }

  private struct Unit {
    let name: String
    let unit: String
    let key: YAMLNode
  }

  /// The most characters of a unit.
  private static let longestUnit = 32

  private static func units(_ reader: inout MappingReader) -> [Unit] {
    var units: [Unit] = []
    for entry in reader.entries("units") ?? [] where entry.value.value != .invalid {
      if let unit = entry.value.text, !entry.value.isNull, unit.unicodeScalars.count <= longestUnit {
        units.append(Unit(name: entry.name, unit: unit, key: entry.key))
      } else {
        reader.diagnostics.error(
          at: entry.value,
          "\(entry.path) is \(entry.value.described()); expected a unit such as °C, at most \(longestUnit) characters")
      }
    }
    return units
  }

  private static func checkUnits(_ units: [Unit], among names: [String], _ reader: inout MappingReader) {
    for unit in units where !names.contains(unit.name) {
      reader.diagnostics.error(at: unit.key, unknownValue(unit.name, in: reader.path(of: "units"), among: names))
    }
  }

  /// `sensors.climate.units has "temprature", which … delivers`.
  static func unknownValue(_ name: String, in path: String, among names: [String]) -> String {
    let near = nearestWord(to: name, among: names).map { "did you mean \(quoted($0))?" }
    return "\(path) has \(quoted(name)), which the sensor does not deliver; "
      + (near ?? "it delivers \(listed(names))")
  }

  /// A sensor's name becomes a key, or a part of one.
  private static func checkName(_ name: String, _ naming: KeyNaming, _ reader: inout MappingReader) {
    guard naming.report == .json || naming.hasPrefix else { return }
    do throws(KeyError) { _ = try Key(name) } catch {
      reader.diagnostics.error(at: reader.node, "the sensor's name \(quoted(name)) cannot be a key: \(error)")
    }
  }
}
