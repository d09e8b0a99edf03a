internal import EventLoop
internal import Glibc
internal import Logging

/// The durable memory of all ladders: `recovery.json` in the state directory.
///
/// It is written before a step is taken and when a trouble with steps is over, never while all is well.
actor LadderBook {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let loop: EventLoop
  private let file: DurableFile
  private let disk: BlockingPool
  private let log: Logger
  private var record: LadderRecord
  /// Whose ladder is there; what the configuration no longer has does not count.
  private var claimed: Set<String> = []

  /// Reads the file; a damaged one is told of and written anew with the next step.
  ///
  /// - Parameters:
  ///   - disk: One thread, so that writes reach the card in order.
  ///   - boot: The running boot's id; the kernel's unless given.
  ///   - now: On the boot's clock.
  static func open(
    on loop: EventLoop, directory: String, disk: BlockingPool, log: Logger, boot: String? = nil,
    now: Duration = Uptime.boottime
  ) async -> LadderBook {
    await open(
      on: loop, file: DurableFile(directory: directory, name: LadderRecord.name), disk: disk, log: log, boot: boot,
      now: now)
  }

  static func open(
    on loop: EventLoop, file: DurableFile, disk: BlockingPool, log: Logger, boot: String?, now: Duration
  ) async -> LadderBook {
    let (found, boot) = await disk.run { () -> (Result<[UInt8]?, SystemError>, String?) in
      (
        Result { () throws(SystemError) in try file.read(atMost: LadderRecord.sizeLimit) },
        boot ?? SystemTree().text("/proc/sys/kernel/random/boot_id")
      )
    }
    var record = LadderRecord(boot: boot)
    do {
      if let bytes = try found.get() { record = try LadderRecord(parsing: bytes).carried(into: boot, at: now) }
    } catch {
      log.error(
        """
        \(file.path) cannot be used: \(error); ladders begin at their first step, and it is written anew with the next
        """)
    }
    return LadderBook(on: loop, file: file, disk: disk, record: record, log: log)
  }

  private init(on loop: EventLoop, file: DurableFile, disk: BlockingPool, record: LadderRecord, log: Logger) {
    self.loop = loop
    self.file = file
    self.disk = disk
    self.record = record
    self.log = log
  }

  /// Takes up a trouble from before the start.
  func claim(_ name: String) -> Trouble? {
    claimed.insert(name)
    return record.troubles[name]
  }

  /// Restarts of the board that troubles of today have led to.
  var reboots: RebootHistory {
    var history = RebootHistory()
    for (name, trouble) in record.troubles where claimed.contains(name) && trouble.reboots > 0 {
      history.count += trouble.reboots
      history.last = max(history.last ?? .zero, trouble.lastReboot ?? .zero)
    }
    return history
  }

  /// Remembers a trouble. Returns when that survives a power cut; on failure it is remembered for this run only.
  func keep(_ trouble: Trouble, of name: String) async throws(SystemError) {
    record.troubles[name] = trouble
    if record.troubles.count > LadderRecord.troubleLimit {
      record.troubles = record.troubles.filter { claimed.contains($0.key) }
    }
    try await write()
  }

  /// A trouble is over.
  func forget(_ name: String) async {
    guard record.troubles.removeValue(forKey: name) != nil else { return }
    do throws(SystemError) { try await write() } catch {
      log.warning("\(file.path) is not up to date: \(error); after a restart the next success puts that right")
    }
  }

  private func write() async throws(SystemError) {
    let isEmpty = record.troubles.isEmpty
    let bytes = record.bytes
    guard bytes.count <= LadderRecord.sizeLimit, record.troubles.count <= LadderRecord.troubleLimit else {
      throw SystemError("write \(file.path)", errno: EFBIG)
    }
    try await disk.run { [file] () throws(SystemError) in
      if isEmpty { try file.remove() } else { try file.replace(with: bytes) }
    }
  }
}
