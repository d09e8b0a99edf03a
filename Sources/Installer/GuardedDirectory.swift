internal import CKernel
internal import EventLoop
internal import Glibc

/// A directory that root works in although somebody else may own it: whatever its owner puts there, nothing outside of
/// it is read, written or given away.
///
/// All goes through one descriptor, no link is followed, files are made anew and renamed into place. A replacement is
/// durable: whoever reads finds the old content or the new one, whatever was cut off when.
///
/// Source: openat(2), renameat(2), fsync(2), symlink(7).
struct GuardedDirectory: ~Copyable {
  let path: String
  private let descriptor: CInt
  private let owner: uid_t
  private let group: gid_t

  /// - Parameter path: Its parents are trusted; the last component must be no symbolic link.
  init(_ path: String) throws(SystemError) {
    let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW
    let descriptor = try check("open \(path)") { bg_open(path, flags, 0) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let error = errno
      close(descriptor)
      throw SystemError("fstat \(path)", errno: error)
    }
    self.path = path
    self.descriptor = descriptor
    owner = status.st_uid
    group = status.st_gid
  }

  deinit { close(descriptor) }

  /// Opens a regular file for reading.
  ///
  /// - Returns: The descriptor, the caller's to close, and the file's size; `nil` where there is none.
  /// - Throws: `SystemError`: `ELOOP` for a symbolic link, `EINVAL` for what is no regular file.
  func open(_ name: String) throws(SystemError) -> (file: CInt, size: Int64)? {
    let file = bg_openat(descriptor, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0)
    if file < 0 {
      if errno == ENOENT { return nil }
      throw SystemError("open \(path)/\(name)")
    }
    var status = stat()
    let isKnown = fstat(file, &status) == 0
    guard isKnown, status.st_mode & S_IFMT == S_IFREG else {
      let error = isKnown ? EINVAL : errno
      close(file)
      throw SystemError("open \(path)/\(name)", errno: error)
    }
    return (file, Int64(status.st_size))
  }

  /// Reads a whole file.
  ///
  /// - Parameter limit: A longer file is cut there and one byte after it, so that the caller can tell.
  /// - Returns: `nil` where there is none.
  func read(_ name: String, atMost limit: Int) throws(SystemError) -> [UInt8]? {
    guard let (file, _) = try open(name) else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while bytes.count <= limit {
      let count = try check("read \(path)/\(name)") { Glibc.read(file, &chunk, chunk.count) }
      if count == 0 { break }
      bytes += chunk.prefix(count)
    }
    return Array(bytes.prefix(limit + 1))
  }

  /// Replaces a file; it belongs to the directory's owner, mode 0600. Returns when it survives a power cut.
  func replace(_ name: String, with bytes: [UInt8]) throws(SystemError) {
    let temporary = "\(name).new"
    let file = try create(temporary)
    defer { close(file) }
    if geteuid() == 0, owner != 0 || group != 0 {
      // A file system without owners, such as vfat, shows one and the same and refuses the call.
      var found = stat()
      try check("fstat \(path)/\(temporary)") { fstat(file, &found) }
      if found.st_uid != owner || found.st_gid != group {
        try check("fchown \(path)/\(temporary)") { fchown(file, owner, group) }
      }
    }
    try Self.write(file, bytes, "\(path)/\(temporary)")
    try check("fsync \(path)/\(temporary)") { fsync(file) }
    try check("rename \(path)/\(temporary)") { renameat(descriptor, temporary, descriptor, name) }
    try check("fsync \(path)") { fsync(descriptor) }
  }

  /// Makes a file of the caller's own, mode 0600, in the place of whatever was left under the name.
  ///
  /// - Returns: The descriptor, the caller's to close.
  func create(_ name: String) throws(SystemError) -> CInt {
    try unlink(name)
    let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
    return try check("open \(path)/\(name)") { bg_openat(descriptor, name, flags, 0o600) }
  }

  /// Removes a file durably; it may be gone already.
  func remove(_ name: String) throws(SystemError) {
    try unlink(name)
    try check("fsync \(path)") { fsync(descriptor) }
  }

  /// Moves a file to another name, whatever stood there.
  ///
  /// - Throws: `SystemError` with `ENOENT` where there is none.
  func move(_ name: String, to other: String) throws(SystemError) {
    try check("rename \(path)/\(name)") { renameat(descriptor, name, descriptor, other) }
    try check("fsync \(path)") { fsync(descriptor) }
  }

  /// A lock until `unlock`, or until the process ends, flock(2).
  ///
  /// - Returns: Its descriptor; `nil` where another process holds it.
  func lock(_ name: String) throws(SystemError) -> CInt? {
    let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
    let file = try check("open \(path)/\(name)") { bg_openat(descriptor, name, flags, 0o600) }
    if flock(file, LOCK_EX | LOCK_NB) == 0 { return file }
    let error = errno
    close(file)
    if error == EWOULDBLOCK { return nil }
    throw SystemError("flock \(path)/\(name)", errno: error)
  }

  /// Gives a lock back. Closing alone would leave it with a child that was just forked and has not closed its copy yet.
  static func unlock(_ file: CInt) {
    flock(file, LOCK_UN)
    close(file)
  }

  private func unlink(_ name: String) throws(SystemError) {
    if unlinkat(descriptor, name, 0) != 0, errno != ENOENT { throw SystemError("unlink \(path)/\(name)") }
  }

  /// Writes all of `bytes`.
  static func write(_ file: CInt, _ bytes: [UInt8], _ name: String) throws(SystemError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = try check("write \(name)") { rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) } }
      guard count > 0 else { throw SystemError("write \(name)", errno: ENOSPC) }
      rest = rest.dropFirst(count)
    }
  }
}
