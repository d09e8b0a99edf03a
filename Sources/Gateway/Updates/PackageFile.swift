internal import CKernel
internal import EventLoop
internal import Glibc

/// `STATE/updates/KIND.package`: the downloaded bytes. Mode 0600, no symbolic link is followed. Every call may block.
///
/// Nothing is kept open between two calls, so that a kill leaves nothing but the file.
///
/// Source: open(2), ftruncate(2), pwrite(2), fdatasync(2), statvfs(3).
struct PackageFile: Sendable {
  /// Bytes of the disk that a package never takes: the queue's and everybody else's.
  static let reserve: Int64 = 16 << 20

  /// What the file system has.
  struct Space: Sendable, Equatable {
    /// Bytes an unprivileged process may still write.
    var free: Int64
    /// Bytes of the whole file system.
    var capacity: Int64
  }

  enum Failure: Error, Sendable, Equatable {
    /// There is no room for `needed` bytes.
    case noRoom(needed: Int64, Space)
    case disk(SystemError)
  }

  enum Step: Sendable, CaseIterable {
    case prepared, appended, synchronized
  }

  let path: String
  private let directory: String
  private let space: @Sendable (String) throws(SystemError) -> Space
  private let afterStep: @Sendable (Step) throws(SystemError) -> Void

  /// - Parameters:
  ///   - space: Answers what the file system of a directory has.
  ///   - afterStep: Called after each step; what it throws is what the next step would have.
  init(
    directory: String, name: String,
    space: @escaping @Sendable (String) throws(SystemError) -> Space = PackageFile.space,
    afterStep: @escaping @Sendable (Step) throws(SystemError) -> Void = { _ in }
  ) {
    self.directory = directory
    path = "\(directory)/\(name)"
    self.space = space
    self.afterStep = afterStep
  }

  /// Cuts the file, made where there is none, to what is known to be good, and checks that the rest has room.
  ///
  /// - Parameters:
  ///   - length: Bytes that are known to be good.
  ///   - size: Bytes of the whole package; `nil` where nobody knows.
  ///   - copies: Files of that size which there will be: the installer may make one of its own.
  /// - Returns: The file's length: `length`, or less where less is there.
  func prepare(length: Int64, size: Int64?, copies: Int64) throws(Failure) -> Int64 {
    let found = try onDisk { () throws(SystemError) in
      let file = try open(O_CREAT)
      defer { close(file) }
      try StateOwner.give(file, in: directory)
      var status = stat()
      try check("fstat \(path)") { fstat(file, &status) }
      guard status.st_mode & S_IFMT == S_IFREG else { throw SystemError("open \(path)", errno: EINVAL) }
      try check("fchmod \(path)") { fchmod(file, 0o600) }
      let kept = min(Int64(status.st_size), length)
      try check("ftruncate \(path)") { ftruncate(file, off_t(kept)) }
      return kept
    }
    let (whole, overflow) = (size ?? found).multipliedReportingOverflow(by: copies)
    try checkRoom(for: overflow ? Int64.max - Self.reserve : whole - found)
    try onDisk { () throws(SystemError) in try afterStep(.prepared) }
    return found
  }

  /// Writes `bytes` at `offset`, the file's end.
  func append(_ bytes: [UInt8], at offset: Int64) throws(Failure) {
    try checkRoom(for: Int64(bytes.count))
    do throws(SystemError) {
      let file = try open(0)
      defer { close(file) }
      var rest = bytes[...]
      var place = offset
      while !rest.isEmpty {
        let count = try check("write \(path)") {
          rest.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, off_t(place)) }
        }
        guard count > 0 else { throw SystemError("write \(path)", errno: ENOSPC) }
        rest = rest.dropFirst(count)
        place += Int64(count)
      }
      try afterStep(.appended)
    } catch {
      guard error.errno == ENOSPC || error.errno == EDQUOT else { throw .disk(error) }
      throw .noRoom(needed: Int64(bytes.count), (try? space(directory)) ?? Space(free: 0, capacity: .max))
    }
  }

  /// Returns only when what was written survives a power cut.
  ///
  /// - Returns: The file's length.
  func synchronize() throws(Failure) -> Int64 {
    try onDisk { () throws(SystemError) in
      let file = try open(0)
      defer { close(file) }
      try check("fdatasync \(path)") { fdatasync(file) }
      // The name, too: the record will speak of the file.
      let parent = try check("open \(directory)") { bg_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
      defer { close(parent) }
      try check("fsync \(directory)") { fsync(parent) }
      var status = stat()
      try check("fstat \(path)") { fstat(file, &status) }
      try afterStep(.synchronized)
      return Int64(status.st_size)
    }
  }

  private func checkRoom(for bytes: Int64) throws(Failure) {
    let space = try onDisk { () throws(SystemError) in try self.space(directory) }
    let (needed, overflow) = max(0, bytes).addingReportingOverflow(Self.reserve)
    guard !overflow, needed <= space.free else { throw .noRoom(needed: overflow ? .max : needed, space) }
  }

  private func open(_ flags: CInt) throws(SystemError) -> CInt {
    try check("open \(path)") { bg_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0o600) }
  }

  private func onDisk<Result>(_ body: () throws(SystemError) -> Result) throws(Failure) -> Result {
    do throws(SystemError) { return try body() } catch { throw .disk(error) }
  }

  @Sendable static func space(_ directory: String) throws(SystemError) -> Space {
    var status = statvfs()
    try check("statvfs \(directory)") { statvfs(directory, &status) }
    let block = UInt64(max(1, status.f_frsize))
    func bytes(_ blocks: fsblkcnt_t) -> Int64 {
      let (bytes, overflow) = UInt64(blocks).multipliedReportingOverflow(by: block)
      return overflow ? .max : Int64(clamping: bytes)
    }
    return Space(free: bytes(status.f_bavail), capacity: bytes(status.f_blocks))
  }
}
