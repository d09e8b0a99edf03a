/// A line at one moment, for `baudgate status`.
public struct GPIOLineStatus: Sendable, Hashable {
  /// As the configuration names it.
  public var name: String
  /// `/dev/gpiochip0`, `simulated:/run/gpio`
  public var chip: String
  /// `nil` where the file has the kernel's name and the line has not been had yet.
  public var offset: UInt32?
  public var direction: GPIOLineOptions.Direction
  /// `nil` while the line cannot be had.
  public var value: Bool?
  /// Why it cannot be had; `nil` while all is well.
  public var error: String?
  /// How often the value has changed since the start.
  public var changes: UInt64
  /// Whether an output was driven to its safe value since the server was out of reach, and not commanded since.
  public var isMadeSafe = false
  /// Whether it has no interrupt and is read again and again.
  public var isPolled = false
  public var isCounter = false
  /// `input`, `output` or `counter`, as the file says it.
  public var role: String { isCounter ? GPIORole.counter.rawValue : direction.rawValue }
}
