internal import CKernel
internal import EventLoop
internal import Glibc

/// What the disk remembered of commands.
struct CommandRecovery: Sendable {
  /// Those the server has not confirmed, oldest first; without a reply those that were cut off.
  var replies: [(key: CommandKey, reply: [UInt8]?)] = []
  /// What a person should know: damage, or a disk that cannot be used.
  var finding: String?
  /// Why nothing can be written, while it cannot.
  var problem: SystemError?
}

/// Where steps of commands are kept. Every call may block; a ledger makes one at a time, all but `load` from one thread.
protocol CommandStorage: Sendable {
  /// Reads what is there and makes it ready for appending.
  func load() -> CommandRecovery
  /// - Parameter isDurable: Returns only when the record would survive a power cut.
  /// - Throws: `SystemError`; nothing may be assumed of the record then.
  func append(_ record: CommandRecord, isDurable: Bool) throws(SystemError)
  /// Tries once more what has failed before; nothing happens where nothing has.
  ///
  /// - Throws: `SystemError`, where it still fails.
  func mend() throws(SystemError)
  /// Syncs what is not yet, and ends.
  func close()
}

/// The file `commands` of the state directory: preallocated, appended in place, rewritten as a whole when it is full.
///
/// A record overwrites zeros, so that fdatasync(2) has no metadata to write. A failed write or sync leaves the page cache
/// in doubt: the next record goes to a new file.
///
/// Source: pwrite(2), fdatasync(2), rename(2), link(2).
final class CommandFile: CommandStorage, @unchecked Sendable {
  // @unchecked: used by one ledger, one call after the other.
  /// Bytes of the file. What is live at most, by `CommandMemory`'s bounds, is less: replies of 128 KiB, short ones in
  /// place of those beyond, two records for each of 256 commands.
  static let capacity = 256 << 10

  let path: String
  private var descriptor: CInt = -1
  private var end = 0
  private var needsRewrite = false
  /// Whether the last record would be lost with the power.
  private var isAtRisk = false
  /// What a rewrite keeps, oldest first by `order`.
  private var live: [CommandKey: Live] = [:]
  private var nextOrder: UInt64 = 0

  private struct Live {
    var order: UInt64
    var reply: [UInt8]?
  }

  init(path: String) { self.path = path }

  deinit { close() }

  // MARK: Reading

  func load() -> CommandRecovery {
    var recovery = CommandRecovery()
    let scan: CommandScan?
    do throws(SystemError) { scan = try read() } catch {
      needsRewrite = true
      recovery.finding = """
        cannot read \(path) (\(error)): what an earlier run carried out is not known, and a command the server hands \
        over again would run again; mend the state directory
        """
      return recovery
    }
    for record in scan?.records ?? [] { apply(record) }
    recovery.replies = ordered.map { ($0.key, $0.value.reply) }
    if let finding = scan.flatMap(setAsideIfDamaged) { recovery.finding = finding }
    guard let scan, scan.condition == .clean, !needsRewrite else {
      do throws(SystemError) { try rewrite() } catch {
        needsRewrite = true
        recovery.problem = error
        recovery.finding = """
          cannot write \(path) (\(error)): commands with lasting effect are refused until it can be written
          """
      }
      return recovery
    }
    end = scan.end
    return recovery
  }

  /// - Returns: `nil` where there is no file. A descriptor for writing is kept where one is to be had.
  private func read() throws(SystemError) -> CommandScan? {
    let file: CInt
    var isWritable = true
    do throws(SystemError) {
      do throws(SystemError) {
        file = try check("open") { bg_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0) }
      } catch {
        // A card that has become read-only still tells what was carried out.
        guard [EROFS, EACCES, EPERM].contains(error.errno) else { throw error }
        file = try check("open") { bg_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0) }
        isWritable = false
      }
    } catch {
      if error.errno == ENOENT { return nil }
      throw error
    }
    var bytes = [UInt8](repeating: 0, count: Self.capacity)
    var count = 0
    do throws(SystemError) {
      while count < Self.capacity {
        let more = try bytes.withUnsafeMutableBytes { raw in
          Result { () throws(SystemError) in
            try check("pread") { pread(file, raw.baseAddress.map { $0 + count }, raw.count - count, off_t(count)) }
          }
        }.get()
        if more == 0 { break }
        count += more
      }
    } catch {
      _ = Glibc.close(file)
      throw error
    }
    if isWritable { descriptor = file } else { _ = Glibc.close(file) }
    // A file that is shorter than it was made cannot be appended to without growing it.
    needsRewrite = count < Self.capacity || !isWritable
    bytes.removeLast(Self.capacity - count)
    return CommandScan(bytes)
  }

  /// Gives a damaged file a second name, before a new one takes the first.
  private func setAsideIfDamaged(_ scan: CommandScan) -> String? {
    let what: String
    switch scan.condition {
    case .clean, .torn: return nil
    case .damaged: what = "is damaged"
    case .newerVersion: what = "was written by a newer Baudgate"
    }
    let aside = "\(path).damaged"
    unlink(aside)
    let isKept = link(path, aside) == 0
    return """
      \(path) \(what): \(scan.records.count) of its records could be read and count, a new file is begun\
      \(isKept ? "; the old one is \(aside)" : "")
      """
  }

  // MARK: Writing

  func append(_ record: CommandRecord, isDurable: Bool) throws(SystemError) {
    let previous = live[record.key]
    apply(record)
    do throws(SystemError) {
      if descriptor < 0 || needsRewrite || end + record.size > Self.capacity {
        // What needs not last waits for the next record that does.
        if isDurable || !needsRewrite { try rewrite() }
        return
      }
      var bytes: [UInt8] = []
      record.append(to: &bytes)
      try write(bytes, to: descriptor, at: end)
      end += bytes.count
      isAtRisk = !isDurable
      if isDurable { try check("fdatasync") { fdatasync(descriptor) } }
    } catch {
      needsRewrite = true
      // It will not run, so nothing is to be remembered of it; a result stays, for the next file.
      if record.kind == .started { live[record.key] = previous }
      throw error
    }
  }

  func mend() throws(SystemError) {
    if descriptor < 0 || needsRewrite { try rewrite() }
  }

  private func apply(_ record: CommandRecord) {
    switch record.kind {
    case .head: break
    case .started:
      live[record.key] = Live(order: nextOrder)
      nextOrder += 1
    case .finished: live[record.key, default: Live(order: nextOrder)].reply = record.payload
    case .closed: live[record.key] = nil
    }
  }

  private var ordered: [(key: CommandKey, value: Live)] { live.sorted { $0.value.order < $1.value.order } }

  /// Writes what is live to a new file, synced, and lets it take the old one's name.
  private func rewrite() throws(SystemError) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.capacity)
    CommandRecord.head.append(to: &bytes)
    for (key, entry) in ordered {
      CommandRecord(kind: .started, key: key).append(to: &bytes)
      if let reply = entry.reply { CommandRecord(kind: .finished, key: key, payload: reply).append(to: &bytes) }
    }
    guard bytes.count <= Self.capacity else { throw SystemError("rewrite \(path)", errno: EFBIG) }
    let size = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: Self.capacity - size))

    let temporary = "\(path).new"
    // What a crash left under this name may belong to another mode; O_EXCL makes sure of 0600.
    unlink(temporary)
    let file = try check("open") { bg_open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600) }
    do throws(SystemError) {
      try StateOwner.give(file, in: directory)
      try write(bytes, to: file, at: 0)
      try check("fsync") { fsync(file) }
      try check("rename") { rename(temporary, path) }
    } catch {
      _ = Glibc.close(file)
      unlink(temporary)
      throw error
    }
    close()
    descriptor = file
    end = size
    needsRewrite = true  // until its name lasts, too
    try synchronizeDirectory()
    needsRewrite = false
  }

  private var directory: String {
    let directory = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
    return directory.isEmpty ? "." : String(directory)
  }

  private func synchronizeDirectory() throws(SystemError) {
    let descriptor = try check("open") { bg_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
    defer { _ = Glibc.close(descriptor) }
    try check("fsync") { fsync(descriptor) }
  }

  private func write(_ bytes: [UInt8], to file: CInt, at offset: Int) throws(SystemError) {
    try bytes.withUnsafeBytes { raw in
      Result { () throws(SystemError) in
        var done = 0
        while done < raw.count {
          let count = try check("pwrite") {
            pwrite(file, raw.baseAddress.map { $0 + done }, raw.count - done, off_t(offset + done))
          }
          if count == 0 { throw SystemError("pwrite", errno: ENOSPC) }
          done += count
        }
      }
    }.get()
  }

  func close() {
    // What waited for the next record that has to last: there is none. A failure means what a power cut means.
    if descriptor >= 0, isAtRisk, !needsRewrite { fdatasync(descriptor) }
    if descriptor >= 0 { _ = Glibc.close(descriptor) }
    descriptor = -1
  }
}
