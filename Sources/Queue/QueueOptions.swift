/// `queue:` of the configuration, per device.
public struct QueueOptions: Sendable, Equatable {
  /// `max_size`: the most bytes a device's log takes on the card; beyond it the oldest records go.
  public var maxSize = 256 << 20
  /// `persist_after`: how long a record may wait for the server's 200 before it is written to the card.
  public var persistAfter = Duration.seconds(5)
  /// `memory`: the most bytes that wait in memory while no file can be written; beyond it the oldest records go.
  public var memory = 4 << 20
  /// `hot_directory`: where the hot log lives; `nil` for the runtime directory, or the state directory without one.
  public var hotDirectory: String?

  public init() {}

  public init(maxSize: Int, persistAfter: Duration, memory: Int, hotDirectory: String? = nil) {
    self.maxSize = maxSize
    self.persistAfter = persistAfter
    self.memory = memory
    self.hotDirectory = hotDirectory
  }
}
