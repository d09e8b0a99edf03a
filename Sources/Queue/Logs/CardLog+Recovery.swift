internal import EventLoop
internal import Glibc

extension CardLog {
  /// Takes over what an earlier life left: lists the segments, reads the cursor and the newest segment. The others
  /// are checked when they are read. Changes nothing on the card but a torn tail and empty files.
  ///
  /// - Throws: `SystemError` when the directory is there and cannot be read; worth another try later.
  func recover() throws(SystemError) -> CardRecovery {
    var recovery = CardRecovery(summary: summary)
    let names: [SegmentName]
    do { names = try fileSystem.list(directory).compactMap { SegmentName($0) }.sorted() } catch {
      if error.errno == ENOENT { return recovery }
      throw error
    }
    isDirectoryThere = true
    let stored = try cursorFile.load(fileSystem)
    cursor = stored ?? Cursor()
    recovery.cursor = stored
    recovery.newestTimestamp = cursor.newestTimestamp
    try listSegments(names)
    try recoverNewest(&recovery)
    trim()
    recovery.summary = summary
    return recovery
  }

  private func listSegments(_ names: [SegmentName]) throws(SystemError) {
    segments = []
    bytes = 0
    for (index, name) in names.enumerated() {
      let size = try fileSystem.size(at: "\(directory)/\(name.text)")
      if size == 0 {
        try? fileSystem.unlink("\(directory)/\(name.text)")
        continue
      }
      var segment = Segment(name: name, size: size)
      // Another attempt at the same sequence does not bound it.
      let next = names[index...].first { $0.first > name.first }
      segment.last = (next?.first ?? name.first + 1) - 1
      segment.records = min(segment.last - segment.first + 1, UInt64(size / RecordFormat.headerSize))
      segments.append(segment)
      bytes += size
    }
  }

  /// Reads the newest segment, and others that begin at the same sequence.
  private func recoverNewest(_ recovery: inout CardRecovery) throws(SystemError) {
    guard let newest = segments.last else { return }
    for index in segments.indices where segments[index].name.first == newest.name.first {
      let isLast = index == segments.count - 1
      let path = path(segments[index])
      let file = (try? fileSystem.open(path, .append)) ?? -1
      let source = file >= 0 ? file : try fileSystem.open(path, .read)
      var scan = SegmentScan(segment: segments[index], place: .card, path: path)
      do { try scan.run(fileSystem, source) } catch {
        // A bad block is the reader's to deal with; what was seen before it counts.
        if error.errno != EIO {
          fileSystem.close(source)
          throw error
        }
        scan.isClean = false
      }
      scan.damages.keep(in: quarantine)
      recovery.damages.append(contentsOf: scan.damages)
      recovery.newestTimestamp = max(recovery.newestTimestamp, scan.newestTimestamp)
      let canAppend = scan.cutTail(fileSystem, file) && isLast && scan.segment.size < segmentSize
      bytes += scan.segment.size - segments[index].size
      segments[index] = scan.segment
      if canAppend, file >= 0 {
        active = file
      } else {
        fileSystem.close(source)
      }
    }
    segments.removeAll { segment in
      guard segment.size == 0 else { return false }
      if segment.name == newest.name { closeActive() }
      try? fileSystem.unlink(path(segment))
      return true
    }
  }

  /// Makes sure of what is here, as far as that can be known.
  ///
  /// - Parameter persisted: What the hot cursor says is synced, where the hot log can supply the rest; `nil` where it
  ///   cannot (after a power cut, say): then what is here is synced, which is all that can be done.
  /// - Returns: Everything up to here, as far as it is on the card at all, is synced.
  func trust(_ persisted: UInt64?) -> UInt64 {
    guard let last = segments.last else { return 0 }
    if let persisted {
      if persisted < last.last { closeActive() } else { synced = last }
      // Less than that is here when the card was changed, or wiped.
      return min(persisted, summary.newest)
    }
    do {
      let file = active >= 0 ? active : try fileSystem.open(path(last), .read)
      defer { if active < 0 { fileSystem.close(file) } }
      try fileSystem.synchronizeData(file)
      try fileSystem.synchronizeDirectory(directory)
      synced = last
      return last.last
    } catch {
      closeActive()
      return 0
    }
  }
}

/// What the card told at the start.
struct CardRecovery: Sendable {
  var cursor: Cursor?
  /// 0 when no record was seen.
  var newestTimestamp: Int64 = 0
  var summary: CardSummary
  /// Met for the first time.
  var damages = DamageList()
}
