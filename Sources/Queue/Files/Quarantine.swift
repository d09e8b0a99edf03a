internal import EventLoop
internal import Glibc

/// Copies of damaged bytes, for a person to look at; bounded, and never in the queue's way.
struct Quarantine: Sendable {
  /// The most files, and bytes in them, that are kept; what comes later is told of and not copied.
  static let filesAtMost = 64
  static let bytesAtMost = 16 << 20

  let directory: String
  let fileSystem: any FileSystem

  /// Copies what `damage` names, but torn tails, which are ordinary.
  ///
  /// - Returns: Whether it is news: `false` for bytes an earlier life has copied.
  func keep(_ damage: Damage) -> Bool {
    switch damage.cause {
    case .torn, .unreadable: return true
    case .damaged, .foreign, .newerVersion: break
    }
    do {
      try copy(damage)
    } catch {
      return error.errno != EEXIST
    }
    return true
  }

  private func copy(_ damage: Damage) throws(SystemError) {
    let source = try fileSystem.open(damage.path, .read)
    defer { fileSystem.close(source) }
    let range: Range<Int>
    if let known = damage.range { range = known } else { range = 0..<(try fileSystem.size(source)) }
    let segment = damage.path.split(separator: "/").last ?? ""
    try fileSystem.makeDirectories(directory)
    let name = "\(damage.place.rawValue)-\(segment)-\(range.lowerBound).bin"
    try checkRoom(for: name, bytes: range.count)
    let path = "\(directory)/\(name)"
    let copy = try fileSystem.open(path, .createNew)
    defer { fileSystem.close(copy) }
    var offset = range.lowerBound
    while offset < range.upperBound {
      let piece = try fileSystem.read(
        source, count: min(SegmentScanner.windowSize, range.upperBound - offset), at: offset)
      guard !piece.isEmpty, try fileSystem.append(copy, piece) == piece.count else { break }
      offset += piece.count
    }
    try fileSystem.synchronizeData(copy)
  }

  /// - Throws: `EEXIST` when it was copied before, `EDQUOT` when the quarantine is full.
  private func checkRoom(for name: String, bytes count: Int) throws(SystemError) {
    let names = try fileSystem.list(directory)
    if names.contains(name) { throw SystemError("quarantine", errno: EEXIST) }
    var bytes = count
    for name in names { bytes += try fileSystem.size(at: "\(directory)/\(name)") }
    if names.count >= Self.filesAtMost || bytes > Self.bytesAtMost { throw SystemError("quarantine", errno: EDQUOT) }
  }
}
