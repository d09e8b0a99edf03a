internal import CKernel
internal import EventLoop
internal import Glibc
internal import Queue

/// The counters in memory: `.counters` in the hot directory, a record for each, written in place by the loop itself at
/// each pulse. It survives the process, not the power, and costs the card nothing.
///
/// The name is none that a device can have, whose hot log stands beside it. Opened on the disk's thread, then used on the
/// loop alone.
final class HotCounts: @unchecked Sendable {
  // @unchecked: one user at a time, as said above.
  static let name = ".counters"
  /// The boot's id, in a record of its own.
  private static let headSize = CountRecord.size

  let path: String
  /// What stood there, of this boot or of another.
  private(set) var records: [CountRecord] = []
  /// Whether the file is one of this boot: then no power was cut since it was written.
  private(set) var isOfThisBoot = false
  private var file: CInt
  private var slots: [String: Int] = [:]
  private var free: [Int] = []

  /// - Parameter boot: The running boot's id; the kernel's unless given.
  init(directory: String, boot: String = BootID.current.description) throws(SystemError) {
    path = "\(directory)/\(Self.name)"
    if mkdir(directory, 0o700) != 0, errno != EEXIST { throw SystemError("mkdir \(directory)") }
    let path = path
    file = try check("open \(path)") { bg_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
    do throws(SystemError) {
      try load(boot)
    } catch {
      close(file)
      file = -1
      throw error
    }
  }

  deinit { if file >= 0 { close(file) } }

  private func load(_ boot: String) throws(SystemError) {
    let limit = Self.headSize + CountImage.recordLimit * CountRecord.size
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = try check("read \(path)") { bytes.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, 0) } }
    let head = Array(boot.utf8.prefix(Self.headSize))
    isOfThisBoot = count >= Self.headSize && Array(bytes.prefix(head.count)) == head
    for slot in 0..<CountImage.recordLimit {
      let start = Self.headSize + slot * CountRecord.size
      guard start + CountRecord.size <= count, let record = CountRecord(bytes[start..<start + CountRecord.size]),
        slots[record.name] == nil
      else {
        free.append(slot)
        continue
      }
      slots[record.name] = slot
      records.append(record)
    }
    free.reverse()
    let wanted = head + [UInt8](repeating: 0, count: Self.headSize - head.count)
    try put(wanted, at: 0)
  }

  /// Writes a record with one call, which the kernel completes even where the process is killed meanwhile.
  func write(_ record: CountRecord) throws(SystemError) {
    guard let slot = slots[record.name] ?? free.popLast() else { throw SystemError("write \(path)", errno: ENOSPC) }
    slots[record.name] = slot
    try put(record.bytes, at: Self.headSize + slot * CountRecord.size)
  }

  /// A counter's place is free for another.
  func forget(_ name: String) {
    guard let slot = slots.removeValue(forKey: name) else { return }
    free.append(slot)
    // Left behind, it would only be an older copy.
    try? put([UInt8](repeating: 0, count: CountRecord.size), at: Self.headSize + slot * CountRecord.size)
  }

  private func put(_ bytes: [UInt8], at start: Int) throws(SystemError) {
    let count = try check("write \(path)") {
      bytes.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, off_t(start)) }
    }
    guard count == bytes.count else { throw SystemError("write \(path)", errno: ENOSPC) }
  }
}
