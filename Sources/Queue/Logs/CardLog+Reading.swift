internal import EventLoop
internal import Glibc

extension CardLog {
  /// Reads on from what `batch` holds, up to `limit`: beyond it the hot log has the records. The disk thread's.
  func read(_ batch: BatchBuilder, through limit: UInt64) -> CardReading {
    var reading = CardReading(batch: batch, summary: summary)
    let start = batch.after
    var reader = SegmentReader(
      fileSystem: fileSystem, place: .card, directory: directory, hints: hints, start: start)
    var index = 0
    while index < segments.count, !reading.batch.isFull, reading.batch.after < limit {
      guard segments[index].last > reading.batch.after else {
        index += 1
        continue
      }
      do {
        let isComplete = try reader.read(&segments[index], openAs: -1, into: &reading.batch, &reading.damages)
        readFailures = nil
        if !isComplete { break }
      } catch {
        // What was read before the failure goes first; the next call meets it again.
        if !reading.batch.records.isEmpty { break }
        guard giveUp(index, after: error) else {
          reading.error = error
          break
        }
        reading.damages.append(
          Damage(
            place: .card, path: path(segments[index]), range: nil,
            cause: .unreadable(error, records: segments[index].records(after: reading.batch.after))))
        reading.batch.skip(through: segments[index].last)
        segments[index].records = 0
        segments[index].isDamageKnown = true
      }
      index += 1
    }
    if index == segments.count || reading.batch.after >= limit { reading.batch.skip(through: limit) }
    hints = reader.newHints
    reading.damages.keep(in: quarantine)
    reading.summary = summary
    return reading
  }

  /// Whether to go on without the rest of a segment that cannot be read.
  private func giveUp(_ index: Int, after error: SystemError) -> Bool {
    switch error.errno {
    case ENOENT: return true
    case EIO:
      let name = segments[index].name
      let count = (readFailures?.name == name ? readFailures?.count ?? 0 : 0) + 1
      readFailures = (name, count)
      return count >= Self.readAttempts
    default: return false
    }
  }
}

/// What came of reading the card.
struct CardReading: Sendable {
  var batch: BatchBuilder
  /// What stopped it; it is worth another try.
  var error: SystemError?
  /// Met for the first time.
  var damages = DamageList()
  var summary: CardSummary
}
