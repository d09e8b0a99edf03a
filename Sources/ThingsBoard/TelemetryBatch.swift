/// Samples on their way to the server, oldest first.
public struct TelemetryBatch: Sendable, Equatable {
  /// One sensor's values of one instant.
  public struct Element: Sendable, Equatable {
    /// Milliseconds since 1970-01-01 UTC.
    public var timestamp: Int64
    /// The JSON text of one object with at least one member, `{"temperature":21.5}`.
    public var values: [UInt8]

    public init(timestamp: Int64, values: [UInt8]) {
      self.timestamp = timestamp
      self.values = values
    }
  }

  public var elements: [Element]

  public init(_ elements: [Element]) { self.elements = elements }
}
