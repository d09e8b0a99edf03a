internal import Telemetry
internal import YAML

/// `change: true`: only what is another value than the last. Of any type.
struct ChangeFilter: Filter {
  static let entry = FilterEntry(name: "change", example: "{change: true}") { reader in
    guard let isOn = reader.boolean("change") else { return nil }
    if isOn { return ChangeFilter() }
    reader.error(at: "change", "\(reader.path(of: "change")) is false; remove it, or write true")
    return nil
  }

  private var last: Value?

  mutating func pass(_ value: Value, at time: CaptureTime) -> FilterVerdict {
    if value == last { return .withheld }
    last = value
    return .pass(value)
  }
}
