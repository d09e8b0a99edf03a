/// What the server has stored: one value for each device, key and time.
struct TelemetryStore: Sendable {
  /// Values it holds at most; what is beyond is lost and counted.
  let limit: Int
  private(set) var count = 0
  private var devices: [String: [ExactText: Series]] = [:]

  init(limit: Int) { self.limit = limit }

  private struct Series: Sendable {
    var values: [Int64: StoredValue] = [:]
    var latest: StoredValue?

    /// - Returns: What was there.
    mutating func put(_ value: StoredValue) -> StoredValue? {
      if value.ts >= latest?.ts ?? .min { latest = value }
      return values.updateValue(value, forKey: value.ts)
    }
  }

  enum Insertion { case new, repeated, replaced, full }

  mutating func insert(_ entry: ValueConverter.Entry, token: String) -> Insertion {
    var value = entry.value
    // The database has no U+0000 in text.
    if value.text.utf8.contains(0) { value.text.unicodeScalars.removeAll { $0.value == 0 } }
    var key = entry.key
    if key.utf8.contains(0) { key.unicodeScalars.removeAll { $0.value == 0 } }
    if count >= limit, devices[token]?[ExactText(key)]?.values[value.ts] == nil { return .full }
    let former = devices[token, default: [:]][ExactText(key), default: Series()].put(value)
    guard let former else {
      count += 1
      return .new
    }
    return former.type == value.type && ExactText(former.text) == ExactText(value.text) ? .repeated : .replaced
  }

  func values(of key: String, token: String?) -> [StoredValue] {
    series(of: key, token: token).flatMap { $0.values.values }.sorted { $0.ts < $1.ts }
  }

  func latest(of key: String, token: String?) -> StoredValue? {
    series(of: key, token: token).compactMap(\.latest).max { $0.ts < $1.ts }
  }

  func count(of key: String, token: String?) -> Int {
    series(of: key, token: token).reduce(0) { $0 + $1.values.count }
  }

  func keys(token: String?) -> [String] {
    let maps = token.map { [devices[$0] ?? [:]] } ?? Array(devices.values)
    return Set(maps.flatMap(\.keys)).map(\.text).sorted()
  }

  mutating func removeAll() {
    devices = [:]
    count = 0
  }

  private func series(of key: String, token: String?) -> [Series] {
    let maps = token.map { [devices[$0] ?? [:]] } ?? Array(devices.values)
    return maps.compactMap { $0[ExactText(key)] }
  }
}
