public import EventLoop
internal import Glibc
public import Logging

extension TelemetryQueue {
  /// Opens a device's queue and takes over what earlier lives left; `docs/queue.md` has the rules.
  ///
  /// It always gives a queue: where a directory cannot be made or read, a degraded one that tries again every 10 s.
  /// - Parameters:
  ///   - device: The name in the configuration; percent-encoded where it is no file name.
  ///   - hotDirectory: On tmpfs, `<hotDirectory>/<device>/` becomes the hot log.
  ///   - stateDirectory: On the card; `queue/<device>/`, `quarantine/<device>/` and `parked/<device>.jsonl` in it.
  ///   - loop: The calling thread's.
  ///   - disk: One thread; several queues may share it.
  public static func open(
    device: String, hotDirectory: String, stateDirectory: String, options: QueueOptions, loop: EventLoop,
    disk: BlockingPool, fileSystem: any FileSystem = SystemFileSystem(), log: Logger
  ) async -> TelemetryQueue {
    await open(
      device: device, hotDirectory: hotDirectory, stateDirectory: stateDirectory, options: options, loop: loop,
      disk: disk, fileSystem: fileSystem, log: log, clock: boottimeMilliseconds, isManual: false)
  }

  /// - Parameters:
  ///   - clock: Milliseconds since boot.
  ///   - isManual: No timer is made; `timerFired` is the caller's to call.
  static func open(
    device: String, hotDirectory: String, stateDirectory: String, options: QueueOptions, loop: EventLoop,
    disk: BlockingPool, fileSystem: any FileSystem, log: Logger, clock: @escaping @Sendable () -> Int64,
    isManual: Bool
  ) async -> TelemetryQueue {
    let name = DirectoryName.of(device)
    let quarantine = Quarantine(directory: "\(stateDirectory)/quarantine/\(name)", fileSystem: fileSystem)
    let card = CardLog(
      directory: "\(stateDirectory)/queue/\(name)", fileSystem: fileSystem, maxSize: options.maxSize,
      quarantine: quarantine)
    let findings = await disk.run {
      Findings(
        HotLog(directory: "\(hotDirectory)/\(name)", fileSystem: fileSystem), card, quarantine,
        now: CaptureClock.milliseconds)
    }
    let queue = TelemetryQueue(
      Parts(
        device: device, loop: loop, disk: disk, options: options, log: log, clock: clock, isManual: isManual,
        card: card, parked: ParkedFile(path: "\(stateDirectory)/parked/\(name).jsonl", fileSystem: fileSystem),
        quarantine: quarantine),
      findings)
    await queue.start(findings)
    return queue
  }

  /// What does not change in a queue's life.
  struct Parts {
    var device: String
    var loop: EventLoop
    var disk: BlockingPool
    var options: QueueOptions
    var log: Logger
    var clock: @Sendable () -> Int64
    var isManual: Bool
    var card: CardLog
    var parked: ParkedFile
    var quarantine: Quarantine
  }

  private func start(_ findings: Findings) {
    if !isManual {
      do {
        timer = try TimerSource(loop, accuracy: .milliseconds(accuracy)) { [weak self] in
          self?.assumeIsolated { $0.timerFired() }
        }
      } catch {
        log.error(
          "\(device): no timer (\(error)); what waits is written to the card at the stop only",
          metadata: ["device": "\(device)"])
      }
    }
    if let hotFailure {
      self.hotFailure = nil
      hotFailed(hotFailure)
    }
    if let cardFailure {
      self.cardFailure = nil
      cardFailed(cardFailure)
    }
    report(findings.damages)
    hot.release(through: released)
    if let oldest = hot.oldest(beyond: released) {
      // Its age counts from when it was captured: whoever is restarted often must not put off persisting for ever.
      let age = oldest.bootID == .current ? clock() - oldest.boottime : persistAfter
      marks.appended(oldest.sequence, at: clock() - min(max(0, age), persistAfter))
    }
    if needsCardCursor { cursorDueAt = clock() + persistAfter }
    let waiting = depth
    if waiting > 0 {
      log.info(
        "\(device): \(waiting) records of an earlier run wait for the server", metadata: ["device": "\(device)"])
    }
    schedule()
  }
}

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
  var damages: [Damage] = []

  /// Recovers both logs. The disk thread's.
  ///
  /// - Parameter now: Milliseconds since 1970, in case numbers have to begin where no unseen file has any.
  init(_ log: HotLog, _ card: CardLog, _ quarantine: Quarantine, now: Int64) {
    hot = log
    var hotFound = HotRecovery()
    var cardFound = CardRecovery(summary: card.summary)
    do { hotFound = try hot.recover(quarantine) } catch { hotFailure = error }
    do { cardFound = try card.recover() } catch { cardFailure = error }
    damages = hotFound.damages + cardFound.damages
    cardSummary = cardFound.summary
    newestTimestamp = max(hotFound.newestTimestamp, cardFound.newestTimestamp)
    persisted = card.trust(hotFound.cursor?.persisted ?? (hot.newest > 0 ? 0 : nil))
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
    } else if hotFound.hasGap || cardSummary.newest > hot.newest {
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
