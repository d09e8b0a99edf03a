extension Duration {
  /// Reads `250ms`, `5s`, `10m`, `1h`, `1d`, `50us`.
  public init?(configured text: String) {
    guard let (count, unit) = splitNumber(text) else { return nil }
    let microseconds: Int64
    switch unit {
    case "us": microseconds = 1
    case "ms": microseconds = 1_000
    case "s": microseconds = 1_000_000
    case "m": microseconds = 60_000_000
    case "h": microseconds = 3_600_000_000
    case "d": microseconds = 86_400_000_000
    default: return nil
    }
    let (total, overflow) = count.multipliedReportingOverflow(by: microseconds)
    if overflow { return nil }
    self = .microseconds(total)
  }

  /// As a configuration spells it, in the largest unit that leaves no fraction; fractions of a microsecond are cut.
  public var configured: String {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
    if overflow { return "\(seconds)s" }
    let microseconds = whole + attoseconds / 1_000_000_000_000
    if microseconds == 0 { return "0s" }
    let units: [(String, Int64)] = [
      ("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1),
    ]
    for (unit, length) in units where microseconds % length == 0 { return "\(microseconds / length)\(unit)" }
    return "\(microseconds)us"
  }
}

extension Int {
  /// Reads `512B`, `64KB`, `256MB`, `1GB` as bytes; a KB is 1024.
  public init?(configuredSize text: String) {
    guard let (count, unit) = splitNumber(text), let count = Int(exactly: count) else { return nil }
    let factor: Int
    switch unit {
    case "B": factor = 1
    case "KB": factor = 1 << 10
    case "MB": factor = 1 << 20
    case "GB": factor = 1 << 30
    default: return nil
    }
    let (total, overflow) = count.multipliedReportingOverflow(by: factor)
    if overflow { return nil }
    self = total
  }
}

/// `bytes` as a configuration spells it, in the largest unit that leaves no fraction.
public func configuredSize(_ bytes: Int) -> String {
  for (unit, shift) in [("GB", 30), ("MB", 20), ("KB", 10)] where bytes != 0 && bytes % (1 << shift) == 0 {
    return "\(bytes >> shift)\(unit)"
  }
  return "\(bytes)B"
}

/// Digits, then letters; nothing between, before or behind.
private func splitNumber(_ text: String) -> (count: Int64, unit: Substring)? {
  let digits = text.utf8.prefix { (0x30...0x39).contains($0) }
  guard !digits.isEmpty, let count = Int64(Substring(digits)) else { return nil }
  return (count, Substring(text.utf8.dropFirst(digits.count)))
}
