public import YAML

extension QueueOptions {
  /// Below it not even one segment fits.
  public static let maxSizeRange = (64 << 10)...(64 << 30)
  public static let persistAfterRange = Duration.zero ... .seconds(3600)
  public static let memoryRange = (64 << 10)...(256 << 20)

  /// Reads `queue`; each problem is reported where it stands.
  public init?(from reader: inout MappingReader) {
    self.init()
    if let size = reader.size("max_size", in: Self.maxSizeRange) { maxSize = size }
    if let delay = reader.duration("persist_after", in: Self.persistAfterRange) { persistAfter = delay }
    if let size = reader.size("memory", in: Self.memoryRange) { memory = size }
    hotDirectory = reader.absolutePath("hot_directory", suchAs: "/run/baudgate")
    guard reader.finish() else { return nil }
  }
}
