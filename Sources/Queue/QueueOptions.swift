/// `queue:` of the configuration, per device.
public struct QueueOptions: Sendable, Equatable {
  /// `max_size`: the most bytes a device's log takes on the card; beyond it the oldest records go.
  public var maxSize = 256 << 20
  /// `persist_after`: how long a record may wait for the server's 200 before it is written to the card.
  public var persistAfter = Duration.seconds(5)
  /// `memory`: the most bytes that wait in memory while no file can be written; beyond it the oldest records go.
  public var memory = 4 << 20

  public init() {}

  public init(maxSize: Int, persistAfter: Duration, memory: Int) {
    self.maxSize = maxSize
    self.persistAfter = persistAfter
    self.memory = memory
  }
}
