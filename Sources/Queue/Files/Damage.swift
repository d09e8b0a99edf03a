internal import EventLoop

/// Something on disk that could not be read as records.
struct Damage: Sendable, Equatable {
  enum Place: String, Sendable { case hot, card }

  enum Cause: Sendable, Equatable {
    /// Bytes that are no record.
    case damaged
    /// The rest of a record that a crash cut short; ordinary.
    case torn
    /// Written by a newer Baudgate.
    case newerVersion(UInt8)
    /// Nothing in the file is a record.
    case foreign
    /// The file cannot be read; so many records at most were in it.
    case unreadable(SystemError, records: UInt64)
  }

  var place: Place
  var path: String
  /// The bytes in the file; `nil` for all of it.
  var range: Range<Int>?
  var cause: Cause
}

/// What one pass met, bounded: a file can be damaged in more places than anyone wants to read of.
struct DamageList: Sendable, Equatable {
  /// The most places that are kept apart; what comes after them is counted.
  static let placesAtMost = 64

  private(set) var places: [Damage] = []
  /// Met and not in `places`.
  private(set) var more = 0

  mutating func append(_ damage: Damage) {
    if places.count < Self.placesAtMost { places.append(damage) } else { more += 1 }
  }

  mutating func append(contentsOf list: DamageList) {
    for damage in list.places { append(damage) }
    more += list.more
  }

  /// Copies what can be copied, and keeps what is news.
  mutating func keep(in quarantine: Quarantine) {
    places.removeAll { !quarantine.keep($0) }
  }
}
