internal import ThingsBoard
internal import YAML

extension DownlinkOptions {
  /// The interval of a look: shorter ones cost more than a long poll.
  public static let intervalRange = Duration.seconds(10) ... .seconds(24 * 3600)

  /// What stands in for a file without `downlink`.
  init(_ server: ServerOptions?) {
    self.init()
    if server?.transport == .httpIntegration {
      (rpc, sharedAttributes) = (.off, .off)
    } else if server?.link == .metered {
      (rpc, sharedAttributes) = (.every(MeteredLink.rpcInterval), .every(MeteredLink.sharedAttributesInterval))
    }
  }

  /// Reads `downlink`.
  ///
  /// - Parameter defaults: What the file does not say.
  init?(from reader: inout MappingReader, _ server: ServerOptions?, _ defaults: DownlinkOptions) {
    self = defaults
    for (key, place) in [("rpc", \DownlinkOptions.rpc), ("shared_attributes", \.sharedAttributes)] {
      guard let mode = Self.mode(key, &reader) else { continue }
      if mode != .off, server?.transport == .httpIntegration {
        reader.error(
          at: key,
          "\(reader.path(of: key)) needs server.transport device_api: the HTTP integration only takes readings; "
            + "remove it or write off")
      }
      self[keyPath: place] = mode
    }
    guard reader.finish() else { return nil }
  }

  private static func mode(_ key: String, _ reader: inout MappingReader) -> Mode? {
    guard let node = reader.node(key) else { return nil }
    switch node.text {
    case "on": return .on
    case "off": return .off
    default:
      if let interval = node.text.flatMap(Duration.init(configured:)), intervalRange.contains(interval) {
        return .every(interval)
      }
      let (least, most) = (intervalRange.lowerBound.configured, intervalRange.upperBound.configured)
      reader.mismatch(
        key, expected: "on, off or an interval from \(least) to \(most) such as 5m", words: ["on", "off"])
      return nil
    }
  }
}
