internal import CKernel
internal import Glibc

/// The files themselves, below a directory that is the root but in tests.
struct KernelFiles: SysfsFiles {
  let root: String

  init(root: String = "") { self.root = root }

  func contents(of path: String) throws(SysfsError) -> [UInt8] {
    let file = try open(path, O_RDONLY)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: SysfsLimits.file)
    while true {
      let count = read(file, &bytes, bytes.count)
      if count >= 0 { return Array(bytes.prefix(count)) }
      if errno != EINTR { throw SysfsError(path: path, errno: errno) }
    }
  }

  func write(_ text: String, to path: String) throws(SysfsError) {
    let file = try open(path, O_WRONLY)
    defer { close(file) }
    let bytes = Array(text.utf8)
    while Glibc.write(file, bytes, bytes.count) < 0 {
      if errno != EINTR { throw SysfsError(path: path, errno: errno) }
    }
  }

  private func open(_ path: String, _ access: CInt) throws(SysfsError) -> CInt {
    guard !path.utf8.contains(0) else { throw SysfsError(path: path, errno: ENOENT) }
    // Not waiting in open(2): a path of the configuration may lead anywhere.
    let file = bg_open(root + path, access | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0)
    guard file >= 0 else { throw SysfsError(path: path, errno: errno) }
    return file
  }

  func names(in directory: String) throws(SysfsError) -> [String] {
    guard !directory.utf8.contains(0) else { throw SysfsError(path: directory, errno: ENOENT) }
    guard let stream = opendir(root + directory) else { throw SysfsError(path: directory, errno: errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while names.count < SysfsLimits.entries, let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  func pause(milliseconds: Int) {
    var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
    var rest = timespec()
    while nanosleep(&time, &rest) < 0, errno == EINTR { time = rest }
  }
}
