internal import CKernel
internal import EventLoop
internal import Glibc

/// The small files and links by which the kernel tells about devices. Every call may block.
package enum KernelTree {
  /// Bytes of a file that are read: a USB string has 126 characters at most.
  static let textLimit = 1024
  /// Names in a directory that are looked at.
  static let nameLimit = 65_536

  /// The path without links; `nil` where nothing is there.
  package static func resolved(_ path: String) -> String? {
    guard !path.utf8.contains(0), let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
  }

  /// A file's text up to its line end; `nil` where it is missing, unreadable or empty.
  package static func text(_ path: String) -> String? {
    let file = bg_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: textLimit)
    guard let count = try? check("read", { read(file, &bytes, bytes.count) }) else { return nil }
    let line = bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") && $0 != 0 }
    return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
  }

  /// What a directory holds, in no order; nothing where it cannot be read.
  package static func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while names.count < nameLimit, let entry = readdir(stream) {
      // The name is a field of the C struct with a fixed size, and ends with NUL before that.
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Where a link points, as it stands there; `nil` where it is none.
  package static func target(of link: String) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(link, &buffer, buffer.count)
    guard count > 0 else { return nil }
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// What follows the last slash.
  package static func lastName(of path: String) -> String {
    String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
  }
}
