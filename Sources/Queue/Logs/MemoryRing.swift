/// Records that no file would take, encoded, oldest first, bounded in bytes.
struct MemoryRing: Sendable {
  /// What one append brought.
  struct Chunk: Sendable {
    var bytes: [UInt8]
    var first: UInt64
    var last: UInt64

    var records: UInt64 { last - first + 1 }
    var cost: Int { bytes.count + MemoryRing.chunkOverhead }
  }

  /// Bytes a chunk takes beside its records: its entry and its array's header.
  static let chunkOverhead = 64

  private(set) var limit: Int
  private var storage: [Chunk] = []
  /// Entries before it are gone; they are cut off when they are half of the array, so that a full ring stays cheap.
  private var head = 0
  private(set) var bytes = 0

  init(limit: Int) { self.limit = limit }

  var isEmpty: Bool { head == storage.count }
  var chunks: ArraySlice<Chunk> { storage[head...] }

  /// - Returns: How many records beyond `acknowledged` went to make room.
  mutating func append(_ chunk: Chunk, acknowledged: UInt64) -> UInt64 {
    storage.append(chunk)
    bytes += chunk.cost
    return makeRoom(acknowledged: acknowledged)
  }

  /// Takes another limit at once.
  ///
  /// - Returns: How many records beyond `acknowledged` went to keep within it.
  mutating func use(limit: Int, acknowledged: UInt64) -> UInt64 {
    self.limit = limit
    return makeRoom(acknowledged: acknowledged)
  }

  private mutating func makeRoom(acknowledged: UInt64) -> UInt64 {
    var dropped: UInt64 = 0
    while bytes > limit, let oldest = chunks.first {
      dropped += oldest.records(after: acknowledged)
      removeFirst()
    }
    return dropped
  }

  /// Lets go of the chunks that hold nothing beyond `sequence`.
  mutating func remove(through sequence: UInt64) {
    while let oldest = chunks.first, oldest.last <= sequence { removeFirst() }
  }

  mutating func removeFirst() {
    guard head < storage.count else { return }
    bytes -= storage[head].cost
    storage[head].bytes = []
    head += 1
    if head == storage.count {
      storage.removeAll()
      head = 0
    } else if head > storage.count / 2 {
      storage.removeFirst(head)
      head = 0
    }
  }

  /// Adds the records beyond what `batch` holds, as far as it has room.
  func read(into batch: inout BatchBuilder) {
    for chunk in chunks where chunk.last > batch.after {
      var offset = 0
      while offset < chunk.bytes.count, !batch.isFull {
        guard let header = chunk.header(at: offset) else { break }
        if header.sequence > batch.after {
          guard batch.hasRoom(for: header.length) else { return }
          batch.add(header, chunk.bytes[offset + RecordFormat.headerSize..<offset + header.size])
        }
        offset += header.size
      }
      if batch.isFull { return }
    }
  }

  /// Records waiting beyond `sequence`.
  func records(after sequence: UInt64) -> UInt64 {
    chunks.reduce(0) { $0 + $1.records(after: sequence) }
  }
}

extension MemoryRing.Chunk {
  func records(after sequence: UInt64) -> UInt64 {
    last > sequence ? min(records, last - sequence) : 0
  }

  /// The record at `offset`; `nil` beyond the last.
  func header(at offset: Int) -> RecordHeader? {
    bytes.withUnsafeBytes { raw in
      guard offset < raw.count,
        case .record(let header) = RecordFormat.decode(UnsafeRawBufferPointer(rebasing: raw[offset...]))
      else { return nil }
      return header
    }
  }
}
