internal import EventLoop
internal import Glibc

extension HotLog {
  /// Takes over what an earlier life of this boot left; makes the directory where there is none.
  ///
  /// - Throws: `SystemError` when the directory cannot be made or read; worth another try later.
  mutating func recover(_ quarantine: Quarantine) throws(SystemError) -> HotRecovery {
    var recovery = HotRecovery()
    let names: [SegmentName]
    do { names = try fileSystem.list(directory).compactMap { SegmentName($0) }.sorted() } catch {
      guard error.errno == ENOENT else { throw error }
      try fileSystem.makeDirectories(directory)
      return recovery
    }
    do { recovery.cursor = try loadCursor() } catch {
      // As if it were missing: what is here is sent again.
    }
    recovery.newestTimestamp = recovery.cursor?.newestTimestamp ?? 0
    var recovered: [Segment] = []
    var last: CInt = -1
    for name in names {
      let path = "\(directory)/\(name.text)"
      let file = (try? fileSystem.open(path, .append)) ?? -1
      var source = file
      var scan = SegmentScan(segment: Segment(name: name), place: .hot, path: path)
      do {
        if file < 0 { source = try fileSystem.open(path, .read) }
        try scan.run(fileSystem, source)
      } catch {
        if source >= 0 { fileSystem.close(source) }
        recovery.isIncomplete = true
        recovery.damages.append(
          Damage(place: .hot, path: path, range: nil, cause: .unreadable(error, records: scan.segment.records)))
        continue
      }
      scan.damages.keep(in: quarantine)
      recovery.damages.append(contentsOf: scan.damages)
      if scan.hasGap || recovered.last.map({ $0.last + 1 != scan.segment.first }) ?? false { recovery.hasGap = true }
      recovery.newestTimestamp = max(recovery.newestTimestamp, scan.newestTimestamp)
      let canAppend = scan.cutTail(fileSystem, file) && name == names.last && scan.segment.size < Self.segmentSize
      if scan.segment.size == 0 {
        try? fileSystem.unlink(path)
        fileSystem.close(source)
        continue
      }
      recovered.append(scan.segment)
      if canAppend { last = file } else { fileSystem.close(source) }
    }
    adopt(recovered, active: last)
    return recovery
  }
}

/// What the hot log told at the start.
struct HotRecovery: Sendable {
  var cursor: Cursor?
  /// 0 when no record was seen.
  var newestTimestamp: Int64 = 0
  /// Met for the first time.
  var damages = DamageList()
  /// Whether sequences are missing in between: damage, or records that went from memory to the card while this log
  /// could not be written. The card's copy is the better one then.
  var hasGap = false
  /// Whether a file was left out: it may hold higher sequences than were seen.
  var isIncomplete = false
}
