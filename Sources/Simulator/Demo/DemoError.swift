/// Why the demo cannot go on.
public struct DemoError: Error, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
