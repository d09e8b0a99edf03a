public import EventLoop
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
    makeTimer()
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
