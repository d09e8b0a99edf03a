/// The types under which ThingsBoard stores a value.
public enum StoredType: String, Sendable, Hashable, CaseIterable {
  case boolean = "BOOLEAN"
  case long = "LONG"
  case double = "DOUBLE"
  case string = "STRING"
  case json = "JSON"
}

/// One value of a key at one time, as the server has it.
public struct StoredValue: Sendable, Hashable {
  /// Milliseconds since 1970-01-01 UTC.
  public var ts: Int64
  public var type: StoredType
  /// `true`, `-5`, a double as Java prints it (`21.5`, `1.0E-4`), a string's text, a document's text.
  public var text: String

  public init(ts: Int64, type: StoredType, text: String) {
    self.ts = ts
    self.type = type
    self.text = text
  }

  /// The number of a LONG or DOUBLE.
  public var number: Double? { type == .long || type == .double ? Double(text) : nil }
}
