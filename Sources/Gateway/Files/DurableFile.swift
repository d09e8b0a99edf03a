internal import CKernel
internal import EventLoop
internal import Glibc

/// A small file that is replaced as a whole and durably: whoever reads it finds the old content or the new one, whatever
/// was cut off when. Mode 0600; as root it belongs to the directory's owner. Every call may block.
///
/// Source: open(2), fsync(2), rename(2).
struct DurableFile: Sendable {
  /// What a write has got done, for tests that cut it off there.
  enum WriteStep: Sendable, CaseIterable {
    case created, written, synchronized, renamed, directorySynchronized
  }

  let path: String
  private let directory: String
  private let afterStep: @Sendable (WriteStep) throws(SystemError) -> Void

  /// - Parameters:
  ///   - directory: Where it stands; must be there by the first write.
  ///   - afterStep: Called after each step of a write; what it throws is what the next step would have.
  init(
    directory: String, name: String, afterStep: @escaping @Sendable (WriteStep) throws(SystemError) -> Void = { _ in }
  ) {
    self.directory = directory
    self.afterStep = afterStep
    path = "\(directory)/\(name)"
  }

  /// Reads the whole file.
  ///
  /// - Parameter limit: A longer file is cut there and one byte after it, so that the caller can tell.
  /// - Returns: `nil` where there is none.
  /// - Throws: `SystemError`; what is no regular file is refused with `EINVAL`.
  func read(atMost limit: Int) throws(SystemError) -> [UInt8]? {
    let file = bg_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0)
    if file < 0 {
      if errno == ENOENT { return nil }
      throw SystemError("open \(path)")
    }
    defer { close(file) }
    var status = stat()
    try check("fstat \(path)") { fstat(file, &status) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw SystemError("read \(path)", errno: EINVAL) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while bytes.count <= limit {
      let count = try check("read \(path)") { Glibc.read(file, &chunk, chunk.count) }
      if count == 0 { break }
      bytes += chunk.prefix(count)
    }
    return Array(bytes.prefix(limit + 1))
  }

  /// Replaces the file. Returns only when the new content survives a power cut.
  ///
  /// - Throws: `SystemError`; the old content, or the new one, is there then.
  func replace(with bytes: [UInt8]) throws(SystemError) {
    let temporary = "\(path).new"
    do throws(SystemError) {
      let file = try create(temporary)
      defer { close(file) }
      try StateOwner.give(file, in: directory)
      try afterStep(.created)
      try Self.write(file, bytes)
      try afterStep(.written)
      try check("fsync \(temporary)") { fsync(file) }
      try afterStep(.synchronized)
      try check("rename \(temporary)") { rename(temporary, path) }
    } catch {
      unlink(temporary)
      throw error
    }
    try afterStep(.renamed)
    try synchronizeDirectory()
    try afterStep(.directorySynchronized)
  }

  /// Removes the file durably; it may be gone already.
  func remove() throws(SystemError) {
    if unlink(path) != 0 {
      if errno == ENOENT { return }
      throw SystemError("unlink \(path)")
    }
    try synchronizeDirectory()
  }

  private func synchronizeDirectory() throws(SystemError) {
    let parent = try check("open \(directory)") { bg_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
    defer { close(parent) }
    try check("fsync \(directory)") { fsync(parent) }
  }

  /// A file of this name was left by a write that was cut off, so it goes first.
  private func create(_ temporary: String) throws(SystemError) -> CInt {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
    do throws(SystemError) { return try check("open \(temporary)") { bg_open(temporary, flags, 0o600) } } catch {
      guard error.errno == EEXIST else { throw error }
      try check("unlink \(temporary)") { unlink(temporary) }
      return try check("open \(temporary)") { bg_open(temporary, flags, 0o600) }
    }
  }

  private static func write(_ file: CInt, _ bytes: [UInt8]) throws(SystemError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = try check("write") { rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) } }
      guard count > 0 else { throw SystemError("write", errno: ENOSPC) }
      rest = rest.dropFirst(count)
    }
  }
}
