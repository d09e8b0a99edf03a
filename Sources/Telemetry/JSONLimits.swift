/// What the JSON reader accepts at most, so that no document can exhaust memory or stack.
public struct JSONLimits: Sendable, Hashable {
  /// The deepest nesting any reader allows: the reader recurses, and threads of the pools have small stacks.
  public static let deepest = 256

  /// Bytes of a document.
  public var size: Int
  /// Containers inside one another; `[[1]]` has 2. Never above `deepest`.
  public var depth: Int { didSet { depth = min(depth, Self.deepest) } }
  /// Values in the whole document, containers included.
  public var values: Int
  /// Bytes of one number; 767 digits are the most that can matter to a double.
  public var numberLength: Int

  public init(size: Int = 1 << 20, depth: Int = 64, values: Int = 100_000, numberLength: Int = 1024) {
    self.size = size
    self.depth = min(depth, Self.deepest)
    self.values = values
    self.numberLength = numberLength
  }
}
