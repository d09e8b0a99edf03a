/// A segment's file name: `00000000000003e8.0.seg`, its first sequence in 16 hexadecimal digits, then which attempt
/// at that sequence it is (a segment whose sync failed is not written again).
struct SegmentName: Hashable, Comparable, Sendable {
  /// No record in it has a lower sequence.
  var first: UInt64
  var attempt: Int

  /// The most attempts at one sequence; beyond it the directory is in no state to be written.
  static let maximumAttempt = 999

  var text: String {
    let digits = String(first, radix: 16)
    return "\(String(repeating: "0", count: 16 - digits.count))\(digits).\(attempt).seg"
  }

  init(first: UInt64, attempt: Int = 0) {
    self.first = first
    self.attempt = attempt
  }

  /// `nil` for a name that is not a segment's, which is not ours to touch.
  init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[2] == "seg", parts[0].utf8.count == 16,
      let first = UInt64(parts[0], radix: 16), (1...RecordFormat.maximumSequence).contains(first),
      let attempt = Int(parts[1]), (0...Self.maximumAttempt).contains(attempt)
    else { return nil }
    self.init(first: first, attempt: attempt)
    guard self.text == text else { return nil }
  }

  static func < (left: SegmentName, right: SegmentName) -> Bool {
    (left.first, left.attempt) < (right.first, right.attempt)
  }
}

/// What is remembered of a segment: so much per file, nothing per record.
struct Segment: Sendable, Equatable {
  var name: SegmentName
  /// The sequences it holds lie within; `last` is the bound its successor's name gives until it was read.
  var first: UInt64
  var last: UInt64
  /// How many records, or what the sequences allow at most until it was read.
  var records: UInt64
  /// Bytes.
  var size: Int
  /// Its damage was told and copied already.
  var isDamageKnown = false

  init(name: SegmentName, size: Int = 0) {
    self.name = name
    first = name.first
    last = name.first == 0 ? 0 : name.first - 1
    records = 0
    self.size = size
  }

  /// Of its records, those beyond `sequence`; exact when none is missing.
  func records(after sequence: UInt64) -> UInt64 {
    last > sequence ? min(records, last - sequence) : 0
  }
}

/// A place in a segment before which no record is beyond `sequence`.
struct ReadHint: Sendable, Equatable {
  var name: SegmentName
  var offset: Int
  var sequence: UInt64
}
