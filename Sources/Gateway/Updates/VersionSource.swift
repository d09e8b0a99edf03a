internal import CKernel
internal import EventLoop
internal import Glibc
internal import Telemetry

/// Where the running version is to be seen.
enum VersionSource: Sendable, Equatable {
  /// A file; its first line, trimmed, is the version. May be a symbolic link, as below /etc.
  case file(String)
  /// Baudgate itself is what is updated.
  case baudgate

  /// Bytes of the file that are read.
  static let sizeLimit = 4 << 10

  /// The running version. May block.
  ///
  /// - Returns: `nil` where nothing tells it: no file, none that can be read, an empty line, or no UTF-8.
  func read() -> String? {
    switch self {
    case .baudgate: return Version.current
    case .file(let path):
      let file = bg_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
      guard file >= 0 else { return nil }
      defer { close(file) }
      var bytes = [UInt8](repeating: 0, count: Self.sizeLimit)
      let count = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
      guard count > 0 else { return nil }
      return Self.firstLine(bytes.prefix(count))
    }
  }

  static func firstLine(_ bytes: some Collection<UInt8>) -> String? {
    var line = Array(bytes.prefix { $0 != UInt8(ascii: "\n") })
    let blank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
    while let last = line.last, blank(last) { line.removeLast() }
    guard let text = String(validating: line.drop(while: blank), as: UTF8.self), !text.isEmpty else { return nil }
    return text
  }
}
