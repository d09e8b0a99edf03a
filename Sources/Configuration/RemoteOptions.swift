internal import YAML

/// `remote:`: whether the server may lay the shared attribute `baudgate` over the file.
public struct RemoteOptions: Sendable, Equatable {
  public static let trialRange = Duration.seconds(10) ... .seconds(24 * 3600)

  /// `remote.configuration`.
  public var isEnabled = true
  /// `remote.trial`: how long the uplink may take to succeed with it; then it is taken back.
  public var trialTime = Duration.seconds(600)

  public init() {}

  init?(from reader: inout MappingReader) {
    let words: KeyValuePairs<String, Bool> = ["on": true, "off": false]
    if let isEnabled = reader.word("configuration", of: words) { self.isEnabled = isEnabled }
    if let time = reader.duration("trial", in: Self.trialRange) { trialTime = time }
    guard reader.finish() else { return nil }
  }
}
