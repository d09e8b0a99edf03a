internal import EventLoop

/// Reads a segment's records in order, past damage, holding one window of the file at a time.
struct SegmentScanner {
  /// What comes next in a segment.
  enum Item: Equatable {
    /// A whole record whose checksum holds, at `offset`.
    case record(RecordHeader, offset: Int)
    /// Bytes that are no record, with a record after them.
    case damage(Range<Int>)
    /// Bytes up to the end that are no record.
    case tail(Range<Int>, Tail)
  }

  enum Tail: Equatable {
    /// The start of a record, or zeros: what a crash leaves of a write.
    case torn
    /// A record of a format this program does not know, the first in its file.
    case newerVersion(UInt8)
    case foreign
  }

  /// Bytes read from the file at a time.
  static let windowSize = 64 * 1024
  /// The most bytes checksummed in the search for the next record after damage; hostile bytes could ask for more.
  static let resynchronizationBudget = 64 << 20

  private let fileSystem: any FileSystem
  private let file: CInt
  private let end: Int
  private(set) var position: Int
  private var window: [UInt8] = []
  private var windowStart = 0

  /// - Parameters:
  ///   - offset: Where a record begins.
  ///   - end: Where to stop, a record's end or the file's size.
  init(_ fileSystem: any FileSystem, _ file: CInt, from offset: Int = 0, end: Int) {
    self.fileSystem = fileSystem
    self.file = file
    self.end = end
    position = offset
  }

  /// The next item, `nil` at the end.
  mutating func next() throws(SystemError) -> Item? {
    guard position < end else { return nil }
    let start = position
    let found = try decode(at: start)
    if case .record(let header) = found {
      position = start + header.size
      return .record(header, offset: start)
    }
    if let record = try findRecord(from: start + 1) {
      position = record
      return .damage(start..<record)
    }
    position = end
    return .tail(start..<end, try classifyTail(from: start, found))
  }

  /// The bytes of `range`, which the last item named.
  mutating func bytes(_ range: Range<Int>) throws(SystemError) -> ArraySlice<UInt8> {
    try fill(range)
    let lower = range.lowerBound - windowStart
    return window[min(lower, window.count)..<min(lower + range.count, window.count)]
  }

  // MARK: Looking for records

  private mutating func decode(at offset: Int) throws(SystemError) -> RecordFormat.Decoded {
    try fill(offset..<min(end, offset + RecordFormat.headerSize))
    let found = decodeWindow(at: offset)
    guard case .incomplete(let needed) = found, offset + needed <= end else { return found }
    try fill(offset..<offset + needed)
    return decodeWindow(at: offset)
  }

  private func decodeWindow(at offset: Int) -> RecordFormat.Decoded {
    window.withUnsafeBytes { raw in
      RecordFormat.decode(UnsafeRawBufferPointer(rebasing: raw[min(offset - windowStart, raw.count)...]))
    }
  }

  /// Where the next whole record begins, at `start` or beyond; `nil` when none does, or the search has cost too much.
  private mutating func findRecord(from start: Int) throws(SystemError) -> Int? {
    var budget = Self.resynchronizationBudget
    var offset = start
    let first = UInt8(truncatingIfNeeded: RecordFormat.magic)
    while offset + RecordFormat.headerSize <= end, budget > 0 {
      try fill(offset..<min(end, offset + RecordFormat.headerSize))
      guard let candidate = window[min(offset - windowStart, window.count)...].firstIndex(of: first) else {
        // At least the header's size was in the window, so this moves on.
        offset = windowStart + window.count
        continue
      }
      offset = windowStart + candidate
      switch try decode(at: offset) {
      case .record: return offset
      case .incomplete(let needed): budget -= min(needed, RecordFormat.headerSize)
      case .damaged:
        let length = window.count - (offset - windowStart) >= RecordFormat.headerSize ? candidateLength(offset) : 0
        budget -= length
      case .newerVersion: break
      }
      offset += 1
    }
    return nil
  }

  /// What the checksum of a candidate at `offset` cost.
  private func candidateLength(_ offset: Int) -> Int {
    window.withUnsafeBytes { raw in
      let length = Int(raw.loadLittleEndian(offset - windowStart + 8, as: UInt32.self))
      return length <= RecordFormat.maximumPayload ? length + RecordFormat.headerSize : 0
    }
  }

  private mutating func classifyTail(
    from start: Int, _ found: RecordFormat.Decoded
  ) throws(SystemError) -> Tail {
    if case .incomplete = found { return .torn }
    if start == 0, case .newerVersion(let version) = found { return .newerVersion(version) }
    var offset = start
    while offset < end {
      let piece = try bytes(offset..<min(end, offset + Self.windowSize))
      guard !piece.isEmpty, piece.allSatisfy({ $0 == 0 }) else { return piece.isEmpty ? .torn : .foreign }
      offset += piece.count
    }
    return .torn
  }

  // MARK: The window

  /// Brings `range` into the window, and more where the file has it.
  private mutating func fill(_ range: Range<Int>) throws(SystemError) {
    if range.lowerBound >= windowStart, range.upperBound <= windowStart + window.count { return }
    let count = min(max(range.count, Self.windowSize), end - range.lowerBound)
    window = try fileSystem.read(file, count: max(0, count), at: range.lowerBound)
    windowStart = range.lowerBound
  }
}
