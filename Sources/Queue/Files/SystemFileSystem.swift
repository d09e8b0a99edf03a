internal import CKernel
public import EventLoop
internal import Glibc

/// The kernel's file system.
public struct SystemFileSystem: FileSystem {
  public init() {}

  public func open(_ path: String, _ mode: FileMode) throws(SystemError) -> CInt {
    let flags: CInt =
      switch mode {
      case .read: O_RDONLY
      case .append: O_RDWR | O_APPEND | O_CREAT
      case .createNew: O_RDWR | O_APPEND | O_CREAT | O_EXCL
      case .update: O_RDWR | O_CREAT
      }
    return try check("open") { bg_open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o640) }
  }

  public func close(_ file: CInt) { _ = Glibc.close(file) }

  public func append(_ file: CInt, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
    try check("write") { Glibc.write(file, bytes.baseAddress, bytes.count) }
  }

  public func write(
    _ file: CInt, _ bytes: UnsafeRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    try check("pwrite") { pwrite(file, bytes.baseAddress, bytes.count, off_t(offset)) }
  }

  public func read(
    _ file: CInt, into bytes: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    try check("pread") { pread(file, bytes.baseAddress, bytes.count, off_t(offset)) }
  }

  public func size(_ file: CInt) throws(SystemError) -> Int {
    var status = stat()
    try check("fstat") { fstat(file, &status) }
    return Int(status.st_size)
  }

  public func size(at path: String) throws(SystemError) -> Int {
    var status = stat()
    try check("stat") { stat(path, &status) }
    return Int(status.st_size)
  }

  public func truncate(_ file: CInt, to size: Int) throws(SystemError) {
    try check("ftruncate") { ftruncate(file, off_t(size)) }
  }

  public func synchronizeData(_ file: CInt) throws(SystemError) {
    try check("fdatasync") { fdatasync(file) }
  }

  public func synchronizeDirectory(_ path: String) throws(SystemError) {
    let directory = try check("open") { bg_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
    defer { _ = Glibc.close(directory) }
    try check("fsync") { fsync(directory) }
  }

  public func rename(_ path: String, to newPath: String) throws(SystemError) {
    try check("rename") { Glibc.rename(path, newPath) }
  }

  public func unlink(_ path: String) throws(SystemError) {
    try check("unlink") { Glibc.unlink(path) }
  }

  public func list(_ directory: String) throws(SystemError) -> [String] {
    guard let stream = opendir(directory) else { throw SystemError("opendir") }
    defer { closedir(stream) }
    var names: [String] = []
    while names.count < FileSystemBounds.directoryEntries {
      Glibc.errno = 0
      guard let entry = readdir(stream) else {
        if Glibc.errno != 0 { throw SystemError("readdir") }
        break
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  public func makeDirectory(_ path: String) throws(SystemError) {
    try check("mkdir") { mkdir(path, 0o750) }
  }
}
