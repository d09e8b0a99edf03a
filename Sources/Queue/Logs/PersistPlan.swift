internal import EventLoop

/// What the disk thread is to do for the card, decided on the loop.
struct PersistPlan: Sendable {
  /// A stretch of a hot segment.
  struct Piece: Sendable, Equatable {
    var name: SegmentName
    var path: String
    var from: Int
    var end: Int
  }

  /// Where the records are, oldest first: hot log, then memory.
  var pieces: [Piece] = []
  var chunks: [MemoryRing.Chunk] = []
  /// Of them, those beyond `after` up to `through` are written.
  var after: UInt64
  var through: UInt64
  var cursor: Cursor
  /// Whether the cursor is written too, and what it has passed unlinked.
  var storesCursor: Bool
  /// `max_size` as it is now.
  var maxSize: Int
  /// Whether what is beyond `maxSize` goes though nothing is written: it has become smaller.
  var trims = false
}

/// What came of a `PersistPlan`.
struct PersistOutcome: Sendable {
  /// Every record up to here, as far as it was in the plan, is on the card and synced.
  var persisted: UInt64
  /// Records that went for want of room, and the newest of them.
  var dropped: UInt64 = 0
  var droppedThrough: UInt64 = 0
  /// What stopped it: what is beyond `persisted` is not on the card then, or not for sure.
  var error: SystemError?
  var summary: CardSummary
}

/// The card's log as the loop knows it.
struct CardSummary: Sendable {
  var segments: [Segment] = []
  var bytes = 0
  /// What the cursor on the card says, synced.
  var cursor = Cursor()

  /// The newest sequence that may be on the card; 0 without any. It need not be in the last segment: what a failed
  /// sync left behind in the one before may reach further.
  var newest: UInt64 { segments.reduce(0) { max($0, $1.last) } }

  /// Records beyond `sequence`, but what hot log and memory hold beyond `floor`.
  func records(after sequence: UInt64, through floor: UInt64) -> UInt64 {
    segments.reduce(0) { sum, segment in
      let last = min(segment.last, floor)
      let before = max(sequence, segment.first - 1)
      return last > before ? sum + min(segment.records, last - before) : sum
    }
  }

  /// Bytes of segments that hold records beyond `sequence`.
  func bytes(after sequence: UInt64) -> Int {
    segments.reduce(0) { $1.last > sequence ? $0 + $1.size : $0 }
  }
}
