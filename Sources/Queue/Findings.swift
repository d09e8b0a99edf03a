internal import EventLoop
internal import Glibc

/// What the start found, put together.
struct Findings: Sendable {
  var hot: HotLog
  var cardSummary = CardSummary()
  var nextSequence: UInt64 = 1
  var acknowledged: UInt64 = 0
  var persisted: UInt64 = 0
  var newestTimestamp: Int64 = 0
  var cursorBase: UInt64 = 0
  var hotFailure: SystemError?
  var cardFailure: SystemError?
  var damages = DamageList()

  /// Recovers both logs. The disk thread's.
  ///
  /// - Parameter now: Milliseconds since 1970, in case numbers have to begin where no unseen file has any.
  init(_ log: HotLog, _ card: CardLog, _ quarantine: Quarantine, now: Int64) {
    hot = log
    var hotFound = HotRecovery()
    var cardFound = CardRecovery(summary: card.summary)
    do { hotFound = try hot.recover(quarantine) } catch { hotFailure = error }
    do { cardFound = try card.recover() } catch { cardFailure = error }
    damages = hotFound.damages
    damages.append(contentsOf: cardFound.damages)
    cardSummary = cardFound.summary
    newestTimestamp = max(hotFound.newestTimestamp, cardFound.newestTimestamp)
    let hotIsWhole = hot.newest > 0 && !hotFound.hasGap && cardSummary.newest <= hot.newest
    // Where the card alone has records from amid the hot log's, writing these again would break the order.
    persisted = card.trust(hotIsWhole ? hotFound.cursor?.persisted ?? 0 : nil)
    acknowledged = max(hotFound.cursor?.acknowledged ?? 0, cardFound.cursor?.acknowledged ?? 0)
    nextSequence = max(acknowledged, hot.newest, cardSummary.newest) + 1
    // With the hot log went the knowledge of what was written to the card last; no sequence comes twice.
    if hotFound.cursor == nil, hot.newest == 0, nextSequence > 1 { nextSequence += Self.sequenceGap }
    if hotFailure != nil || cardFailure != nil || hotFound.isIncomplete {
      nextSequence = max(nextSequence, Self.unseenSequence(now))
    }
    if cardFailure != nil {
      if let cursor = hotFound.cursor {
        cursorBase = cursor.base
      } else {
        acknowledged = hot.segments.isEmpty ? nextSequence - 1 : hot.floor
        cursorBase = acknowledged + 1
      }
    } else if let cursor = hotFound.cursor, cursor.base > cardSummary.newest {
      // The card could not be read in the life before: its own cursor tells what of it is done.
      if !cardSummary.segments.isEmpty { acknowledged = cardFound.cursor?.acknowledged ?? 0 }
      persisted = max(persisted, cursor.acknowledged)
      hot.raiseFloor(to: cursor.acknowledged)
    }
    if hot.newest == 0 {
      hot.raiseFloor(to: nextSequence - 1)
    } else if !hotIsWhole {
      // The card's copy is the better one, or goes on where memory was persisted without the hot log.
      hot.raiseFloor(to: cardSummary.newest)
    }
  }

  /// More records than a hot log holds.
  static let sequenceGap: UInt64 = 1 << 24

  /// A sequence that files which could not be read will not have: the clock in units nobody counts in.
  static func unseenSequence(_ now: Int64) -> UInt64 {
    min(UInt64(clamping: now) << 20, RecordFormat.maximumSequence / 2)
  }
}

enum CaptureClock {
  /// Milliseconds since 1970-01-01 UTC.
  static var milliseconds: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000
  }
}

/// Milliseconds since boot, as records carry them.
@Sendable func boottimeMilliseconds() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_BOOTTIME, &time)
  return Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000
}
