internal import EventLoop
internal import Glibc

/// The log the loop appends to itself, in tmpfs: it survives the process, not the power.
///
/// It holds what is younger than `persistAfter`, what the card has not taken yet, and a segment's worth of what is
/// done with: segments are unlinked, or the last one emptied, once all in them is *released*, that is acknowledged or
/// on the card. Its calls run on the loop; tmpfs does not make it wait.
struct HotLog: Sendable {
  /// Bytes after which a segment is done.
  static let segmentSize = 256 * 1024
  /// Bytes after which a segment is emptied where nothing in it waits: many devices have one each, and all of them lie
  /// in memory.
  static let idleSize = 16 * 1024
  /// Bytes it may take while the card does not take them over; beyond it the oldest segment goes.
  static let limit = 16 << 20

  let directory: String
  let fileSystem: any FileSystem
  private(set) var segments: [Segment] = []
  /// Every record beyond it that was appended here and is not acknowledged is still here.
  private(set) var floor: UInt64 = 0
  private(set) var bytes = 0
  private var cursorFile: CursorFile
  /// The descriptor of the last segment while it takes appends, else -1.
  private var active: CInt = -1
  /// Where the newest batch began and ended.
  private var hints: [ReadHint] = []
  private var persistHint: ReadHint?

  init(directory: String, fileSystem: any FileSystem) {
    self.directory = directory
    self.fileSystem = fileSystem
    cursorFile = CursorFile(path: "\(directory)/cursor", stride: CursorFile.hotStride)
  }

  // MARK: Starting

  mutating func loadCursor() throws(SystemError) -> Cursor? { try cursorFile.load(fileSystem) }

  /// Takes what `recover` found, in order; `active` is the last one's descriptor where it may be appended to.
  mutating func adopt(_ recovered: [Segment], active: CInt) {
    segments = recovered
    bytes = recovered.reduce(0) { $0 + $1.size }
    floor = max(floor, recovered.first { $0.records > 0 }.map { $0.first - 1 } ?? 0)
    self.active = active
  }

  /// The newest sequence here; 0 without any.
  var newest: UInt64 { segments.map(\.last).max() ?? 0 }

  // MARK: Appending

  /// Writes whole records with one write(2).
  ///
  /// - Parameters:
  ///   - released: What is acknowledged or on the card: a segment of `idleSize` without anything beyond it is used again.
  ///   - mayReuse: Whether nobody else is reading the files.
  /// - Throws: `SystemError`; nothing was appended then.
  mutating func append(
    _ records: [UInt8], first: UInt64, last: UInt64, released: UInt64, mayReuse: Bool
  ) throws(SystemError) {
    try prepare(for: records.count, first: first, released: released, mayReuse: mayReuse)
    let size = segments[segments.count - 1].size
    let count: Int
    do { count = try fileSystem.append(active, records) } catch {
      seal()
      throw error
    }
    guard count == records.count else {
      // The half that went in must not stand before what comes next.
      do { try fileSystem.truncate(active, to: size) } catch { seal() }
      throw SystemError("write", errno: ENOSPC)
    }
    let index = segments.count - 1
    if segments[index].size == 0 { segments[index].first = first }
    segments[index].size += count
    segments[index].records += last - first + 1
    segments[index].last = last
    bytes += count
  }

  /// Sees to it that the last segment is open and has room.
  private mutating func prepare(
    for count: Int, first: UInt64, released: UInt64, mayReuse: Bool
  ) throws(SystemError) {
    if active >= 0, let last = segments.last {
      let isDone = mayReuse && last.last <= released && segments.count == 1
      if last.size == 0 || last.size + count <= (isDone ? Self.idleSize : Self.segmentSize) { return }
      if isDone {
        try fileSystem.truncate(active, to: 0)
        forgetFirst()
        var empty = Segment(name: last.name)
        empty.last = last.last
        segments = [empty]
        return
      }
    }
    seal()
    var name = SegmentName(first: first)
    var hasMadeDirectory = false
    while true {
      do {
        active = try fileSystem.open("\(directory)/\(name.text)", .createNew)
        break
      } catch {
        switch error.errno {
        case EEXIST where name.attempt < SegmentName.maximumAttempt: name.attempt += 1
        case ENOENT where !hasMadeDirectory:
          try fileSystem.makeDirectories(directory)
          hasMadeDirectory = true
        default: throw error
        }
      }
    }
    segments.append(Segment(name: name))
  }

  /// Appends no more to the last segment.
  mutating func seal() {
    if active >= 0 { fileSystem.close(active) }
    active = -1
  }

  // MARK: Letting go

  /// Writes the cursor. The files do not move; `release` does that.
  ///
  /// - Throws: `SystemError`; the cursor in the file is an older one then, and what it does not cover is sent again
  ///   after a restart.
  mutating func store(_ cursor: Cursor) throws(SystemError) {
    try cursorFile.store(cursor, fileSystem, isDurable: false)
  }

  /// Unlinks the segments with nothing beyond `sequence`, but the one that takes appends.
  mutating func release(through sequence: UInt64) {
    while let oldest = segments.first, oldest.last <= sequence, segments.count > 1 || active < 0 {
      removeFirst()
    }
  }

  /// Unlinks the oldest segment.
  ///
  /// - Returns: How many records beyond `released` it held.
  mutating func dropFirst(released: UInt64) -> UInt64 {
    guard let oldest = segments.first else { return 0 }
    if segments.count == 1 { seal() }
    removeFirst()
    return oldest.records(after: released)
  }

  private mutating func removeFirst() {
    guard let oldest = segments.first else { return }
    // Left behind, it is read at the next start and holds nothing beyond the cursor.
    try? fileSystem.unlink("\(directory)/\(oldest.name.text)")
    forgetFirst()
    segments.removeFirst()
  }

  private mutating func forgetFirst() {
    guard let oldest = segments.first else { return }
    floor = max(floor, oldest.last)
    bytes -= oldest.size
    hints.removeAll { $0.name == oldest.name }
    if persistHint?.name == oldest.name { persistHint = nil }
  }

  mutating func forgetHints() {
    hints = []
    persistHint = nil
  }

  func makeDirectory() throws(SystemError) { try fileSystem.makeDirectories(directory) }

  /// Leaves everything up to `sequence` to the card.
  mutating func raiseFloor(to sequence: UInt64) { floor = max(floor, sequence) }

  /// Bytes of records beyond `sequence`, as near as the hints know.
  func bytes(after sequence: UInt64) -> Int {
    guard let last = segments.last, last.last > sequence else { return 0 }
    var total = 0
    for segment in segments where segment.last > sequence {
      let passed = hints.filter { $0.name == segment.name && $0.sequence <= sequence }.map(\.offset).max() ?? 0
      total += segment.size - min(passed, segment.size)
    }
    return total
  }

  /// Records beyond `sequence`.
  func records(after sequence: UInt64) -> UInt64 {
    segments.reduce(0) { $0 + $1.records(after: sequence) }
  }

  mutating func close() {
    seal()
    cursorFile.close(fileSystem)
  }

  // MARK: Reading

  /// Adds the records beyond what `batch` holds, as far as it has room.
  ///
  /// - Parameter damages: Gets the stretches that were passed over.
  /// - Throws: `SystemError` when no file can be opened just now; nothing is lost and `batch` holds what was read.
  mutating func read(into batch: inout BatchBuilder, _ damages: inout DamageList) throws(SystemError) {
    let start = batch.after
    var reader = SegmentReader(fileSystem: fileSystem, place: .hot, directory: directory, hints: hints, start: start)
    defer { hints = reader.newHints }
    var index = 0
    while index < segments.count, !batch.isFull {
      guard segments[index].last > batch.after else {
        index += 1
        continue
      }
      let file = index == segments.count - 1 ? active : -1
      do {
        guard try reader.read(&segments[index], openAs: file, into: &batch, &damages) else { return }
      } catch {
        guard error.errno == ENOENT || error.errno == EIO else { throw error }
        // Somebody took the file away, or memory is failing: what it held is gone, the rest is not.
        damages.append(
          Damage(
            place: .hot, path: "\(directory)/\(segments[index].name.text)", range: nil,
            cause: .unreadable(error, records: segments[index].records(after: batch.after))))
        segments[index].records = 0
        batch.skip(through: segments[index].last)
      }
      index += 1
    }
  }

  /// The oldest record beyond `sequence`.
  func oldest(beyond sequence: UInt64) -> QueueRecord? {
    var batch = BatchBuilder(after: sequence, limit: BatchLimit(records: 1, bytes: 1))
    var damages = DamageList()
    var copy = self
    try? copy.read(into: &batch, &damages)
    return batch.records.first
  }

  // MARK: Persisting

  /// The stretches of files that hold the records beyond `sequence`.
  func pieces(after sequence: UInt64) -> [PersistPlan.Piece] {
    segments.filter { $0.last > sequence && $0.size > 0 }.map { segment in
      let hint = persistHint.flatMap { $0.name == segment.name && $0.sequence <= sequence ? $0 : nil }
      return PersistPlan.Piece(
        name: segment.name, path: "\(directory)/\(segment.name.text)", from: hint?.offset ?? 0, end: segment.size)
    }
  }

  /// Where the next persist begins to look.
  mutating func persisted(through sequence: UInt64, _ piece: PersistPlan.Piece?) {
    guard let piece, segments.contains(where: { $0.name == piece.name }) else { return }
    persistHint = ReadHint(name: piece.name, offset: piece.end, sequence: sequence)
  }
}
