public import EventLoop
internal import Glibc

/// The file system as the queue uses it: what a test replaces by one that fails, stalls and loses power.
///
/// Files are descriptors, open until `close`. Every call may block, and repeats itself after `EINTR`.
/// Source: open(2), write(2), pread(2), fsync(2), rename(2), unlink(2), mkdir(2), readdir(3), as POSIX.1-2017 has them.
public protocol FileSystem: Sendable {
  /// - Throws: `ENOENT` when it is not there and `mode` does not create; `EEXIST` for `.createNew`.
  func open(_ path: String, _ mode: FileMode) throws(SystemError) -> CInt
  func close(_ file: CInt)
  /// Writes at the end of the file with one write(2).
  /// - Returns: How many bytes were taken; fewer than asked when there is no more room.
  func append(_ file: CInt, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int
  /// Writes in place with one pwrite(2). Only for files not opened for appending, where Linux ignores the offset.
  /// - Returns: How many bytes were taken.
  func write(_ file: CInt, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) -> Int
  /// - Returns: How many bytes were read; 0 at the end of the file.
  func read(_ file: CInt, into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError) -> Int
  func size(_ file: CInt) throws(SystemError) -> Int
  /// The size in bytes of the file at `path`.
  func size(at path: String) throws(SystemError) -> Int
  func truncate(_ file: CInt, to size: Int) throws(SystemError)
  /// fdatasync(2). After a failure nothing may be assumed of what was written since the last success.
  func synchronizeData(_ file: CInt) throws(SystemError)
  /// fsync(2) on the directory: makes its entries last.
  func synchronizeDirectory(_ path: String) throws(SystemError)
  func rename(_ path: String, to newPath: String) throws(SystemError)
  func unlink(_ path: String) throws(SystemError)
  /// Names in a directory, without `.` and `..`, in no order, at most `FileSystemBounds.directoryEntries`.
  func list(_ directory: String) throws(SystemError) -> [String]
  /// Makes one directory, mode 0750.
  func makeDirectory(_ path: String) throws(SystemError)
}

/// How a file is opened; always close-on-exec, created with mode 0640.
public enum FileMode: Sendable {
  case read
  /// For writing at its end, and reading; made when it is not there.
  case append
  /// As `append`, but `EEXIST` when it is there.
  case createNew
  /// For writing in place, and reading; made when it is not there.
  case update
}

public enum FileSystemBounds {
  /// The most names `list` gives; a directory of the queue's holds a few hundred.
  public static let directoryEntries = 100_000
}

extension FileSystem {
  func append(_ file: CInt, _ bytes: [UInt8]) throws(SystemError) -> Int {
    try bytes.withUnsafeBytes { raw in
      Result { () throws(SystemError) in try append(file, raw) }
    }.get()
  }

  /// Writes all of it or throws; a file system that takes less than asked is full.
  func write(_ file: CInt, all bytes: [UInt8], at offset: Int) throws(SystemError) {
    let count = try bytes.withUnsafeBytes { raw in
      Result { () throws(SystemError) in try write(file, raw, at: offset) }
    }.get()
    if count < bytes.count { throw SystemError("pwrite", errno: ENOSPC) }
  }

  /// Reads until `count` bytes are there or the file ends.
  func read(_ file: CInt, count: Int, at offset: Int) throws(SystemError) -> [UInt8] {
    var failure: SystemError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, total in
      do throws(SystemError) {
        total = try read(file, filling: UnsafeMutableRawBufferPointer(buffer), at: offset)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  func read(
    _ file: CInt, filling raw: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    var total = 0
    while total < raw.count {
      let count = try read(file, into: UnsafeMutableRawBufferPointer(rebasing: raw[total...]), at: offset + total)
      if count <= 0 { break }
      total += count
    }
    return total
  }

  /// Makes the directory and those above it that are missing.
  ///
  /// - Parameter isDurable: Syncs the parent of each one that was made.
  func makeDirectories(_ path: String, isDurable: Bool = false) throws(SystemError) {
    do { try makeDirectory(path) } catch {
      if error.errno == EEXIST { return }
      let above = parent(of: path)
      guard error.errno == ENOENT, !above.isEmpty else { throw error }
      try makeDirectories(above, isDurable: isDurable)
      do { try makeDirectory(path) } catch { if error.errno != EEXIST { throw error } }
    }
    if isDurable { try synchronizeDirectory(parent(of: path)) }
  }
}

/// The directory a path lies in.
func parent(of path: String) -> String {
  String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
}
