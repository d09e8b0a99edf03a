internal import CKernel
internal import EventLoop
internal import Glibc

/// One writer: a lock on the state directory for the daemon's life, flock(2).
///
/// The directory itself is locked, so that a read-only one can be, too.
struct StateLock: ~Copyable {
  private let descriptor: CInt

  enum Failure: Error {
    /// Another process holds it; its process id where /proc/locks tells.
    case held(by: pid_t?)
    case system(SystemError)
  }

  init(_ directory: String) throws(Failure) {
    let descriptor: CInt
    do throws(SystemError) {
      descriptor = try check("open \(directory)") { bg_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
    } catch { throw .system(error) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let error = errno
      let holder = Self.holder(of: descriptor)
      close(descriptor)
      throw error == EWOULDBLOCK ? .held(by: holder) : .system(SystemError("flock \(directory)", errno: error))
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// /proc/locks names lock holders by inode, proc_locks(5): `1: FLOCK  ADVISORY  WRITE 123 08:01:4711 0 EOF`.
  private static func holder(of descriptor: CInt) -> pid_t? {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    let file = bg_open("/proc/locks", O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    let sizeLimit = 1 << 20
    while text.count < sizeLimit {
      let count = read(file, &chunk, chunk.count)
      guard count > 0 else { break }
      text += chunk.prefix(count)
    }
    for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count >= 6, fields[1] == "FLOCK", fields[5].hasSuffix(":\(status.st_ino)") else { continue }
      return pid_t(fields[4])
    }
    return nil
  }
}
