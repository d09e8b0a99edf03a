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
