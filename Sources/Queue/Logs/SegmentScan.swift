internal import EventLoop

/// One pass over a segment at the start: what it holds, what is wrong with it, where appending may go on.
struct SegmentScan {
  var segment: Segment
  let place: Damage.Place
  let path: String
  private(set) var newestTimestamp: Int64 = 0
  var damages = DamageList()
  /// Whether everything after the last whole record may be cut off.
  var isClean = true
  /// Whether sequences are missing between its first and its last.
  var hasGap: Bool { segment.records > 0 && segment.last - segment.first + 1 != segment.records }
  /// Where the last whole record ends.
  private var end = 0

  init(segment: Segment, place: Damage.Place, path: String) {
    self.segment = segment
    self.place = place
    self.path = path
  }

  /// - Throws: `SystemError` from reading; what was seen before it stands.
  mutating func run(_ fileSystem: any FileSystem, _ file: CInt) throws(SystemError) {
    segment = Segment(name: segment.name, size: try fileSystem.size(file))
    segment.isDamageKnown = true
    var scanner = SegmentScanner(fileSystem, file, end: segment.size)
    while let item = try scanner.next() {
      switch item {
      case .record(let header, _):
        if segment.records == 0 { segment.first = header.sequence }
        segment.records += 1
        segment.last = max(segment.last, header.sequence)
        newestTimestamp = max(newestTimestamp, header.timestamp)
        end = scanner.position
      case .damage(let range):
        damages.append(Damage(place: place, path: path, range: range, cause: .damaged))
      case .tail(let range, let tail):
        let cause = Damage.Cause(tail, isWhole: range == 0..<segment.size)
        damages.append(Damage(place: place, path: path, range: range, cause: cause))
        // A whole file of something else stays as it is, should the copy not have worked.
        if cause == .foreign { isClean = false }
        if case .newerVersion = cause { isClean = false }
      }
    }
  }

  /// Cuts off what is no record at the end, so that appending may go on after the last one.
  ///
  /// - Parameter file: Open for writing, or -1.
  /// - Returns: Whether it may.
  mutating func cutTail(_ fileSystem: any FileSystem, _ file: CInt) -> Bool {
    guard isClean, file >= 0 else { return false }
    if end == segment.size { return true }
    guard (try? fileSystem.truncate(file, to: end)) != nil else { return false }
    segment.size = end
    return true
  }
}
