internal import CKernel
internal import EventLoop
internal import Glibc
internal import Telemetry
internal import YAML

/// A line of a simulated chip: the file `lineN` in a directory, whose first byte, `0` or `1`, is the line's level.
///
/// An output's byte is written in place; the file keeps its inode and whatever stands behind the byte. An input's file
/// is whoever else's: it may be written in place, truncated first, or replaced by rename(2). Missing, empty or
/// unreadable as a level it says nothing, and the line stays as it is. Where `active_low` is set, `0` is on.
///
/// An output with `safe: hold` is taken over as its file says, as a held line of the kernel's is; while a pulse is under
/// way a file `lineN.pulse` beside it says that there is nothing to hold.
final class SimulatedLine: GPIOLineHandle, @unchecked Sendable {
  // @unchecked: used on the loop alone.
  private(set) var descriptor: CInt
  private(set) var first: Bool?
  private(set) var complaint: String?
  private let directory: String
  private let name: String
  private let isInput: Bool
  private let isActiveLow: Bool
  private var isHeld: Bool
  private var directoryWatch: CInt = -1
  private var fileWatch: CInt = -1

  /// Reads of inotify in one go; what is left then is reported again.
  private static let readLimit = 16
  private static let bufferSize = 4096

  private var path: String { "\(directory)/\(name)" }

  /// - Parameter makingDirectory: Whether to make the directory, not its parents, where it is missing.
  init(_ options: GPIOLineOptions, in directory: String, makingDirectory: Bool) throws(GPIOFault) {
    self.directory = directory
    name = "line\(options.selector)"
    isInput = options.direction == .input
    isActiveLow = options.isActiveLow
    isHeld = options.direction == .output && options.safe == .hold
    if makingDirectory { try Self.make(directory) }
    do { descriptor = try check("inotify_init1") { bg_inotify() } } catch { throw .simulating(directory, error) }
    do throws(GPIOFault) {
      try watchDirectory()
      if isInput {
        try watchFile()
        first = try level()
      } else {
        // Not with `??`, which forgets what may be thrown.
        if let held = try heldLevel() { first = held } else { first = try drive(options.initial) }
      }
    } catch {
      Glibc.close(descriptor)
      descriptor = -1
      throw error
    }
  }

  deinit { release() }

  func release() {
    guard descriptor >= 0 else { return }
    Glibc.close(descriptor)
    descriptor = -1
  }

  // MARK: Output

  /// By name each time, so that a file that was removed or replaced is met as it is now.
  func drive(_ value: Bool) throws(GPIOFault) -> Bool {
    var byte = UInt8(ascii: value != isActiveLow ? "1" : "0")
    do {
      let file = try check("open") { bg_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0o666) }
      defer { close(file) }
      try check("pwrite") { pwrite(file, &byte, 1, 0) }
      byte = 0
      try check("pread") { pread(file, &byte, 1, 0) }
    } catch {
      throw .simulating(path, error)
    }
    guard let level = level(of: byte) else {
      throw GPIOFault(.failed, "\(path) holds \(quoted(byte)) right after it was written; who else writes it?")
    }
    return level
  }

  private var pulseMark: String { "\(path).pulse" }

  /// What an output with `safe: hold` was left at; `nil` where it takes its initial value.
  private func heldLevel() throws(GPIOFault) -> Bool? {
    // Cut short, the pulse ends now.
    let wasPulsing = unlink(pulseMark) == 0
    // What is no level is about to be written over.
    defer { complaint = nil }
    return isHeld && !wasPulsing ? try level() : nil
  }

  // A mark that cannot be made leaves the pulse's level to the next start, as without one.
  func hold(_ isHeld: Bool) {
    guard isHeld != self.isHeld else { return }
    self.isHeld = isHeld
    guard !isHeld else {
      unlink(pulseMark)
      return
    }
    let file = bg_open(pulseMark, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0o666)
    if file >= 0 { close(file) }
  }

  func release(keeping: Bool) {
    if keeping { hold(true) }
    if !isHeld { unlink(pulseMark) }
    release()
  }

  // MARK: Input

  func takeChanges() throws(GPIOFault) -> [GPIOChange] {
    var (isTouched, isReplaced) = (false, false)
    for record in try takeRecords() {
      if record.has(IN_Q_OVERFLOW) {
        // Anything may have happened, to the directory too.
        try watchDirectory()
        isReplaced = true
      } else if record.watch == directoryWatch {
        // Renamed, it is not where the configuration says.
        if record.has(IN_DELETE_SELF, IN_MOVE_SELF, IN_UNMOUNT, IN_IGNORED) { throw .removed(directory) }
        if record.name == name { isReplaced = true }
      } else if record.watch == fileWatch {
        if record.has(IN_IGNORED) { fileWatch = -1 } else { isTouched = true }
      }
    }
    guard isInput, isTouched || isReplaced else { return [] }
    // Watched before it is read: what comes in between is reported.
    if isReplaced { try watchFile() }
    guard let value = try level() else { return [] }
    return [GPIOChange(value: value, time: .now())]
  }

  private func takeRecords() throws(GPIOFault) -> [InotifyRecord] {
    // Aligned as in inotify(7).
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferSize, alignment: 8)
    defer { buffer.deallocate() }
    var records: [InotifyRecord] = []
    for _ in 0..<Self.readLimit {
      do {
        let count = try check("read") { read(descriptor, buffer.baseAddress, buffer.count) }
        records += InotifyRecord.records(UnsafeRawBufferPointer(rebasing: buffer.prefix(count)))
      } catch {
        if error.errno == EAGAIN { break }
        throw .simulating(directory, error)
      }
    }
    return records
  }

  /// - Returns: `nil` where the file says nothing.
  private func level() throws(GPIOFault) -> Bool? {
    var byte: UInt8 = 0
    let count: Int
    do {
      let file = try check("open") { bg_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0) }
      defer { close(file) }
      count = try check("pread") { pread(file, &byte, 1, 0) }
    } catch {
      complaint = nil
      if error.errno == ENOENT { return nil }
      throw .simulating(path, error)
    }
    let level = count > 0 ? level(of: byte) : nil
    complaint =
      count > 0 && level == nil ? "\(path) begins with \(quoted(byte)), expected 0 or 1; the line stays as it is" : nil
    return level
  }

  private func level(of byte: UInt8) -> Bool? {
    switch byte {
    case UInt8(ascii: "0"): isActiveLow
    case UInt8(ascii: "1"): !isActiveLow
    default: nil
    }
  }

  private func quoted(_ byte: UInt8) -> String { YAML.quoted(String(UnicodeScalar(byte))) }

  // MARK: Watches

  /// What is written to outputs is not watched: it would wake the loop for its own work.
  private func watchDirectory() throws(GPIOFault) {
    let news = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | (isInput ? IN_CREATE | IN_MOVED_TO : 0)
    do {
      directoryWatch = try check("inotify_add_watch") { inotify_add_watch(descriptor, directory, UInt32(news)) }
    } catch {
      throw .simulating(directory, error)
    }
  }

  /// Follows the file that has the name now.
  private func watchFile() throws(GPIOFault) {
    let before = fileWatch
    do {
      fileWatch = try check("inotify_add_watch") {
        inotify_add_watch(descriptor, path, UInt32(IN_MODIFY | IN_CLOSE_WRITE))
      }
    } catch {
      fileWatch = -1
      if error.errno != ENOENT { throw .simulating(path, error) }
    }
    // Replaced by rename(2), the old one may live on under another name. An error means it is gone already.
    if before >= 0, before != fileWatch { inotify_rm_watch(descriptor, before) }
  }

  private static func make(_ directory: String) throws(GPIOFault) {
    do {
      try check("mkdir") { mkdir(directory, 0o755) }
    } catch {
      if error.errno != EEXIST { throw .simulating(directory, error) }
    }
  }
}
