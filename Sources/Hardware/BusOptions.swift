/// How a port's units are asked, where its sensors speak a protocol with a master. Changes nothing about how it is opened.
public struct BusOptions: Sendable, Hashable {
  public static let gapRange = Duration.zero ... .seconds(5)
  public static let timeoutRange = Duration.milliseconds(10) ... .seconds(30)
  public static let retriesRange = 0...10

  /// `gap`: silence between frames beyond what the standard asks for.
  public var gap = Duration.zero
  /// `timeout`: from the computed end of our transmission to the answer's last byte.
  public var timeout = Duration.milliseconds(300)
  /// `retries`: how often a question is asked again that got no answer.
  public var retries = 1

  public init() {}
}
