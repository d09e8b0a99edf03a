public import YAML

/// Everything that is wrong with a configuration file.
public struct ConfigurationErrors: Error, Sendable, Equatable, CustomStringConvertible {
  /// In the order of the file.
  public let errors: [Diagnostic]
  public let warnings: [Diagnostic]

  /// A line per error, `file:line:column: message`.
  public var lines: [String] { errors.map(\.description) }
  public var description: String { lines.joined(separator: "\n") }
}
