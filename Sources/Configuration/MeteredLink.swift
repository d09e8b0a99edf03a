/// What options are with `server.link: metered` where the file does not say them. Nothing else depends on the link.
///
/// A long poll that is open all day costs some 3,000 requests; a look every five minutes 288.
public enum MeteredLink {
  /// `upload.interval`.
  public static let uploadInterval = Duration.seconds(10)
  /// `downlink.rpc`.
  public static let rpcInterval = Duration.seconds(5 * 60)
  /// `downlink.shared_attributes`.
  public static let sharedAttributesInterval = Duration.seconds(15 * 60)
}
