/// Cuts a stream of bytes into lines.
///
/// LF and CR each end a line, so CRLF does too: the empty line between them is ignored like any other. It copies only
/// lines that arrive in several pieces, and keeps at most `limit` bytes.
struct LineFramer: Sendable {
  /// `max_line` where the configuration says nothing, bytes.
  static let defaultLimit = 1024
  /// The most `max_line` may be, bytes.
  static let greatestLimit = 64 * 1024

  enum Event: Equatable {
    /// A line without its end; never empty. Valid until the next call.
    case line(ArraySlice<UInt8>)
    /// The line that is arriving has passed the limit; it is skipped up to its end.
    case tooLong
    /// So many bytes stood before the first line end after the port was opened.
    case partial(Int)
  }

  private enum State: Equatable {
    case collecting
    /// Drops up to the next line end; the bytes dropped so far.
    case synchronising(Int)
    /// Drops the rest of a line that has passed the limit.
    case skipping
  }

  private(set) var limit: Int
  private var state = State.collecting
  private var pending: [UInt8] = []
  /// The last event was a line that lay in `pending`: emptied late, so that the line need not be copied.
  private var pendingIsSpent = false

  init(limit: Int) {
    self.limit = limit
  }

  /// Drops what is pending, and what comes up to the first line end.
  mutating func portOpened() {
    pending.removeAll(keepingCapacity: true)
    pendingIsSpent = false
    state = .synchronising(0)
  }

  /// Goes on where another one is, with its own limit.
  mutating func takeOver(from other: LineFramer) {
    let limit = limit
    self = other
    self.limit = limit
  }

  /// Eats `input` from the front up to the next event.
  ///
  /// - Returns: `nil` when all of `input` is eaten.
  mutating func next(from input: inout ArraySlice<UInt8>) -> Event? {
    if pendingIsSpent {
      pending.removeAll(keepingCapacity: true)
      pendingIsSpent = false
    }
    while !input.isEmpty {
      let end = Self.lineEnd(in: input)
      let piece = input[input.startIndex..<(end ?? input.endIndex)]
      input = end.map { input[($0 + 1)...] } ?? input[input.endIndex...]
      if let event = take(piece, ends: end != nil) { return event }
    }
    return nil
  }

  private mutating func take(_ piece: ArraySlice<UInt8>, ends: Bool) -> Event? {
    switch state {
    case .skipping:
      if ends { state = .collecting }
      return nil
    case .synchronising(let before):
      let dropped = before + piece.count
      // Beyond the limit it is no first line any more but a wire without line ends: a wrong baud rate, most likely.
      if dropped > limit {
        state = ends ? .collecting : .skipping
        return .tooLong
      }
      state = ends ? .collecting : .synchronising(dropped)
      return ends && dropped > 0 ? .partial(dropped) : nil
    case .collecting:
      guard piece.count <= limit - pending.count else {
        pending.removeAll(keepingCapacity: true)
        if !ends { state = .skipping }
        return .tooLong
      }
      guard ends else {
        pending.append(contentsOf: piece)
        return nil
      }
      guard !pending.isEmpty else { return piece.isEmpty ? nil : .line(piece) }
      pending.append(contentsOf: piece)
      pendingIsSpent = true
      return .line(pending[...])
    }
  }

  private static func lineEnd(in input: ArraySlice<UInt8>) -> Int? {
    var index = input.startIndex
    while index < input.endIndex {
      let byte = input[index]
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { return index }
      index += 1
    }
    return nil
  }
}
