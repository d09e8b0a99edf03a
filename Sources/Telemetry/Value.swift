/// A value as ThingsBoard stores it under a key: BOOLEAN, LONG, DOUBLE, STRING or JSON.
public enum Value: Sendable, Hashable {
  case bool(Bool)
  case long(Int64)
  case double(Double)
  case string(String)
  /// A nested document; `report: json` and nested objects of JSON sensors.
  case json(JSON)
}
