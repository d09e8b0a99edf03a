internal import EventLoop
internal import Glibc

/// The log on the card: what was unacknowledged for too long, written in few large pieces and synced.
///
/// @unchecked Sendable: after `recover` its state is touched by the disk thread alone, one call at a time.
final class CardLog: @unchecked Sendable {
  /// Bounds of a segment's size; between them it is `maxSize` divided by `ordinarySegments`.
  static let segmentSizes = 64 * 1024...8 * 1024 * 1024
  /// The number of segments a full queue has, unless they come to lie outside `segmentSizes`.
  static let ordinarySegments = 256
  /// Bytes gathered for one write(2).
  static let writeSize = 128 * 1024
  /// How often a segment that gives EIO is tried before what it holds is given up.
  static let readAttempts = 3

  let directory: String
  let fileSystem: any FileSystem
  private(set) var maxSize: Int
  /// Segments begun before `maxSize` was changed keep theirs.
  private(set) var segmentSize: Int
  let quarantine: Quarantine
  var segments: [Segment] = []
  var bytes = 0
  var cursorFile: CursorFile
  /// As synced.
  var cursor = Cursor()
  /// The directory is there, and its entry synced in this life.
  var isDirectoryThere = false
  /// Of the last segment while it takes appends, else -1.
  var active: CInt = -1
  /// The last segment as of its last sync.
  var synced: Segment?
  /// A segment was made and the directory not synced since.
  var isDirectoryDirty = false
  var hints: [ReadHint] = []
  /// Files that are done with and could not be unlinked, to be tried again.
  var leftovers: [String] = []
  var readFailures: (name: SegmentName, count: Int)?
  /// Where a write goes on; holds whole records.
  var pending: [UInt8] = []
  var pendingRecords: UInt64 = 0
  var pendingLast: UInt64 = 0

  init(directory: String, fileSystem: any FileSystem, maxSize: Int, quarantine: Quarantine) {
    self.directory = directory
    self.fileSystem = fileSystem
    self.maxSize = maxSize
    self.quarantine = quarantine
    segmentSize = Self.segmentSize(of: maxSize)
    cursorFile = CursorFile(path: "\(directory)/cursor", stride: CursorFile.cardStride)
  }

  private static func segmentSize(of maxSize: Int) -> Int {
    min(max(maxSize / ordinarySegments, segmentSizes.lowerBound), segmentSizes.upperBound)
  }

  /// The disk thread's, like all that follows. `makeRoom` keeps within it.
  func use(maxSize: Int) {
    self.maxSize = maxSize
    segmentSize = Self.segmentSize(of: maxSize)
  }

  var summary: CardSummary { CardSummary(segments: segments, bytes: bytes, cursor: cursor) }

  func path(_ segment: Segment) -> String { "\(directory)/\(segment.name.text)" }

  // MARK: Cursor

  /// Writes and syncs the cursor, then unlinks what it has passed.
  ///
  /// - Throws: `SystemError`; nothing was unlinked then.
  func store(_ cursor: Cursor) throws(SystemError) {
    try makeDirectory()
    try cursorFile.store(cursor, fileSystem, isDurable: true)
    self.cursor = cursor
    trim()
  }

  /// Unlinks the segments the synced cursor has passed.
  func trim() {
    let again = leftovers
    leftovers = []
    for path in again { remove(path) }
    while let oldest = segments.first, oldest.last <= cursor.acknowledged { removeFirst() }
  }

  /// Only for a segment the synced cursor has passed.
  private func removeFirst() {
    guard let oldest = segments.first else { return }
    if segments.count == 1 { closeActive() }
    remove(path(oldest))
    bytes -= oldest.size
    segments.removeFirst()
    hints.removeAll { $0.name == oldest.name }
  }

  /// Unlinks a file that is done with.
  func remove(_ path: String) {
    do { try fileSystem.unlink(path) } catch {
      // What does not fit the list is unlinked after the next start.
      if error.errno != ENOENT, leftovers.count < Self.ordinarySegments { leftovers.append(path) }
    }
  }

  func makeDirectory() throws(SystemError) {
    if isDirectoryThere { return }
    try fileSystem.makeDirectories(directory, isDurable: true)
    // Once in each life: an earlier one may have made them and got no further.
    try fileSystem.synchronizeDirectory(parent(of: directory))
    try fileSystem.synchronizeDirectory(parent(of: parent(of: directory)))
    isDirectoryThere = true
  }

  /// Drops the oldest segments until `count` more bytes keep within `maxSize`; the cursor is synced first.
  func makeRoom(for count: Int, _ outcome: inout PersistOutcome) throws(SystemError) {
    guard bytes + count > maxSize, !segments.isEmpty else { return }
    var kept = bytes + count
    var gone = 0
    var passed = cursor
    for segment in segments.dropLast() where kept > maxSize {
      kept -= segment.size
      gone += 1
      passed.acknowledged = max(passed.acknowledged, segment.last)
    }
    guard gone > 0 else { return }
    try makeDirectory()
    try cursorFile.store(passed, fileSystem, isDurable: true)
    let acknowledged = cursor.acknowledged
    cursor = passed
    for segment in segments.prefix(gone) { outcome.dropped += segment.records(after: acknowledged) }
    outcome.droppedThrough = passed.acknowledged
    for _ in 0..<gone { removeFirst() }
  }

  func closeActive() {
    if active >= 0 { fileSystem.close(active) }
    active = -1
    synced = nil
  }

  func close() {
    closeActive()
    cursorFile.close(fileSystem)
  }
}
