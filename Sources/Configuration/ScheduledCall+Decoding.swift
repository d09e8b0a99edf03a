internal import Telemetry
internal import YAML

extension ScheduledCall {
  static let intervalRange = Duration.seconds(1) ... .seconds(24 * 3600)
  static let valueLimit = 256
  /// Names in one path.
  static let depthLimit = 32

  /// Reads one entry of `rpc.call`.
  init?(from reader: inout MappingReader, name: String) {
    reader.require("method", "interval")
    let method = Self.method(&reader)
    let params = reader.node("params").map { JSON(bySpellingOf: $0) } ?? .object([])
    let interval = reader.duration("interval", in: Self.intervalRange)
    let values = Self.values(&reader)
    guard reader.finish(), let method, let interval else { return nil }
    self.init(name: name, method: method, params: params, interval: interval, values: values)
  }

  private static func method(_ reader: inout MappingReader) -> String? {
    guard let text = reader.nonEmptyString("method") else { return nil }
    if text.utf8.count <= RPCOptions.longestMethod { return text }
    reader.error(at: "method", "\(reader.path(of: "method")) is longer than \(RPCOptions.longestMethod) bytes")
    return nil
  }

  /// `temperature: outside.temperature`: key, and where its value is in the answer.
  private static func values(_ reader: inout MappingReader) -> [(path: [String], key: Key)] {
    var values: [(path: [String], key: Key)] = []
    for entry in reader.namedEntries("values", atMost: valueLimit) {
      let found = key(entry.name, at: entry.key, reader.diagnostics)
      guard entry.value.value != .invalid else { continue }
      let path =
        entry.value.isNull ? nil : entry.value.text.map { $0.split(separator: ".", omittingEmptySubsequences: false) }
      guard let path, path.count <= depthLimit, path.allSatisfy({ !$0.isEmpty }) else {
        reader.diagnostics.error(
          at: entry.value,
          "\(entry.path) is \(entry.value.described()); expected where in the answer it is, such as outside.temperature"
        )
        continue
      }
      if let found { values.append((path.map(String.init), found)) }
    }
    return values
  }
}
