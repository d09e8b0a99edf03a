internal import CKernel
internal import EventLoop
internal import Glibc

/// The counters on the card: `counters` in the state directory. Two slots are written in turn, in place, so that a torn
/// write leaves the one before it; the file's blocks are had when it is made, and a write costs one or two of them.
///
/// Every call may block. Source: pwrite(2), fdatasync(2).
struct CountFile: Sendable {
  static let name = "counters"

  /// What was found.
  enum Content: Sendable, Equatable {
    case missing
    /// No slot is whole, and not for want of a first write.
    case damaged
    case found(CountImage)
  }

  let path: String
  private let directory: String

  init(directory: String) {
    self.directory = directory
    path = "\(directory)/\(Self.name)"
  }

  func load() throws(SystemError) -> Content {
    guard let bytes = try DurableFile(directory: directory, name: Self.name).read(atMost: 2 * CountImage.slotSize)
    else {
      return .missing
    }
    return Self.newest(bytes)
  }

  static func newest(_ bytes: [UInt8]) -> Content {
    let starts = [0, CountImage.slotSize].filter { $0 < bytes.count }
    let images = starts.compactMap { CountImage(bytes[$0..<min($0 + CountImage.slotSize, bytes.count)]) }
    if let newest = images.max(by: { $0.generation < $1.generation }) { return .found(newest) }
    return bytes.allSatisfy { $0 == 0 } ? .missing : .damaged
  }

  /// Writes the slot of the image's generation. Returns only when it survives a power cut.
  ///
  /// - Throws: `SystemError`; the other slot is whole then. The next attempt writes the same slot again.
  func store(_ image: CountImage) throws(SystemError) {
    let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
    let file = try check("open \(path)") { bg_open(path, flags, 0o600) }
    defer { close(file) }
    var status = stat()
    try check("fstat \(path)") { fstat(file, &status) }
    let isNew = status.st_size < off_t(2 * CountImage.slotSize)
    if isNew { try prepare(file, from: Int(status.st_size)) }
    let start = image.generation.isMultiple(of: 2) ? 0 : CountImage.slotSize
    try write(file, image.bytes, at: start)
    try check("fdatasync \(path)") { fdatasync(file) }
    // The second: what made the file may have been cut off here.
    if isNew || image.generation <= 1 { try synchronizeDirectory() }
  }

  /// Sets a damaged file aside, for whoever wants to look at it.
  func setAside() throws(SystemError) {
    try check("rename \(path)") { rename(path, "\(path).damaged") }
  }

  private func prepare(_ file: CInt, from size: Int) throws(SystemError) {
    try StateOwner.give(file, in: directory)
    let rest = 2 * CountImage.slotSize - size
    if rest > 0 { try write(file, [UInt8](repeating: 0, count: rest), at: size) }
  }

  private func write(_ file: CInt, _ bytes: [UInt8], at start: Int) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      let count = try check("write \(path)") {
        bytes.withUnsafeBytes { raw in
          pwrite(file, raw.baseAddress.map { $0 + done }, raw.count - done, off_t(start + done))
        }
      }
      guard count > 0 else { throw SystemError("write \(path)", errno: ENOSPC) }
      done += count
    }
  }

  private func synchronizeDirectory() throws(SystemError) {
    let parent = try check("open \(directory)") { bg_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
    defer { close(parent) }
    try check("fsync \(directory)") { fsync(parent) }
  }
}
