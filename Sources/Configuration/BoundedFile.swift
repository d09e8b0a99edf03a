internal import Glibc

/// A small regular file, read whole.
struct BoundedFile {
  let bytes: [UInt8]
  /// `st_mode`, stat(2).
  let mode: UInt32

  /// Why a file was not read, to be read behind its name.
  struct Failure: Error {
    let message: String
    init(_ message: String) { self.message = message }
    init(errno code: CInt) { message = String(cString: strerror(code)) }
  }

  /// - Parameter limit: The most bytes it may have.
  /// - Throws: `Failure` also for a directory, a pipe or a device, which could keep the caller waiting.
  init(_ path: String, atMost limit: Int) throws(Failure) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw Failure(errno: errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure(errno: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw Failure("not a regular file") }
    mode = status.st_mode
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while bytes.count <= limit {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Failure(errno: errno) }
      if count == 0 { break }
      bytes += chunk.prefix(count)
    }
    guard bytes.count <= limit else { throw Failure("longer than \(limit) bytes") }
    self.bytes = bytes
  }

  /// Whether somebody other than its owner and its group may read it, or other than its owner write it.
  var isExposed: Bool { mode & (S_IROTH | S_IWOTH | S_IWGRP) != 0 }

  /// Whether somebody other than its owner may write it.
  var isChangeable: Bool { mode & (S_IWOTH | S_IWGRP) != 0 }

  /// The permission bits as chmod(1) takes them.
  var permissions: String { "0" + String(mode & 0o777, radix: 8) }
}
