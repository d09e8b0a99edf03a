/// A telemetry or attribute key the server accepts.
public struct Key: Sendable, Hashable {
  public let name: String
}
