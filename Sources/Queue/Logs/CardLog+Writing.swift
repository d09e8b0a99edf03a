internal import EventLoop
internal import Glibc

extension CardLog {
  /// Carries out a plan. The disk thread's.
  func carryOut(_ plan: PersistPlan) -> PersistOutcome {
    var outcome = PersistOutcome(persisted: plan.after, summary: summary)
    use(maxSize: plan.maxSize)
    do {
      if plan.storesCursor || plan.cursor.acknowledged > cursor.acknowledged && needsRoom(plan) {
        try store(plan.cursor)
      }
      if plan.trims { try makeRoom(for: 0, &outcome) }
      if plan.through > plan.after { try write(plan, &outcome) }
    } catch {
      outcome.error = error
      abandonUnsynced(after: error)
    }
    pending = []
    pendingRecords = 0
    outcome.summary = summary
    return outcome
  }

  /// Whether what is acknowledged has to go first, lest records that still wait are dropped.
  private func needsRoom(_ plan: PersistPlan) -> Bool {
    let hot = plan.pieces.reduce(0) { $0 + max(0, $1.end - $1.from) }
    return bytes + plan.chunks.reduce(hot) { $0 + $1.bytes.count } > maxSize
  }

  private func write(_ plan: PersistPlan, _ outcome: inout PersistOutcome) throws(SystemError) {
    for piece in plan.pieces { try copy(piece, plan, &outcome) }
    for chunk in plan.chunks {
      var offset = 0
      while let header = chunk.header(at: offset) {
        if header.sequence > plan.after, header.sequence <= plan.through {
          try take(chunk.bytes[offset..<offset + header.size], header, &outcome)
        }
        offset += header.size
      }
    }
    try flush(&outcome)
    try synchronize(&outcome)
    // Gaps of what was damaged or dropped are passed too.
    outcome.persisted = max(outcome.persisted, plan.through)
  }

  /// Copies the whole records of a stretch of the hot log.
  private func copy(
    _ piece: PersistPlan.Piece, _ plan: PersistPlan, _ outcome: inout PersistOutcome
  ) throws(SystemError) {
    let file: CInt
    do { file = try fileSystem.open(piece.path, .read) } catch {
      // Dropped meanwhile for want of room, or taken away: the reader tells of it.
      if error.errno == ENOENT { return }
      throw error
    }
    defer { fileSystem.close(file) }
    var scanner = SegmentScanner(fileSystem, file, from: piece.from, end: piece.end)
    while let item = try scanner.next() {
      guard case .record(let header, let offset) = item, header.sequence > plan.after,
        header.sequence <= plan.through
      else { continue }
      try take(try scanner.bytes(offset..<offset + header.size), header, &outcome)
    }
  }

  private func take(
    _ record: ArraySlice<UInt8>, _ header: RecordHeader, _ outcome: inout PersistOutcome
  ) throws(SystemError) {
    if pending.count + record.count > Self.writeSize { try flush(&outcome) }
    let size = (active >= 0 ? segments.last?.size ?? 0 : 0) + pending.count
    if size > 0, size + record.count > segmentSize {
      try flush(&outcome)
      try synchronize(&outcome)
      closeActive()
    }
    if active < 0 { try begin(header.sequence) }
    pending += record
    pendingRecords += 1
    pendingLast = header.sequence
  }

  private func begin(_ first: UInt64) throws(SystemError) {
    try makeDirectory()
    var name = SegmentName(first: first)
    while true {
      do {
        active = try fileSystem.open("\(directory)/\(name.text)", .createNew)
        break
      } catch {
        guard error.errno == EEXIST, name.attempt < SegmentName.maximumAttempt else {
          if error.errno == ENOENT { isDirectoryThere = false }
          throw error
        }
        name.attempt += 1
      }
    }
    isDirectoryDirty = true
    segments.append(Segment(name: name))
    synced = segments.last
  }

  private func flush(_ outcome: inout PersistOutcome) throws(SystemError) {
    guard !pending.isEmpty else { return }
    try makeRoom(for: pending.count, &outcome)
    let count = try fileSystem.append(active, pending)
    guard count == pending.count, !segments.isEmpty else { throw SystemError("write", errno: ENOSPC) }
    let index = segments.count - 1
    segments[index].size += count
    segments[index].records += pendingRecords
    segments[index].last = pendingLast
    bytes += count
    pending.removeAll(keepingCapacity: true)
    pendingRecords = 0
  }

  private func synchronize(_ outcome: inout PersistOutcome) throws(SystemError) {
    guard active >= 0, let last = segments.last else { return }
    if last.size != synced?.size { try fileSystem.synchronizeData(active) }
    if isDirectoryDirty {
      try fileSystem.synchronizeDirectory(directory)
      isDirectoryDirty = false
    }
    synced = last
    outcome.persisted = max(outcome.persisted, last.last)
  }

  /// Forgets what was written since the last sync. After a refused write the segment is cut back and used on; after
  /// anything else nothing is assumed of it and the next record begins a new one.
  private func abandonUnsynced(after error: SystemError) {
    guard active >= 0, let synced, let last = segments.last else { return }
    if last == synced, error.call != "fdatasync", error.call != "fsync" { return }
    let file = active
    bytes -= last.size - synced.size
    segments[segments.count - 1] = synced
    if error.call == "write", (try? fileSystem.truncate(file, to: synced.size)) != nil { return }
    if synced.size == 0 {
      remove(path(synced))
      segments.removeLast()
    } else {
      try? fileSystem.truncate(file, to: synced.size)
    }
    closeActive()
  }
}
