import EventLoop
import Foundation
import Hardware
import Testing

/// Runs `body` on a loop of its own, on this thread. A body that hangs ends as an error instead.
func onLoop<Result: Sendable>(
  _ body: @escaping @Sendable (EventLoop) async throws -> Result
) throws -> Result {
  let loop = try EventLoop()
  let guardian = try TimerSource(loop) { [unowned loop] in loop.stop() }
  guardian.arm(after: .seconds(30))
  return try withExtendedLifetime(guardian) { try loop.run { try await body(loop) } }
}

/// The far end of a line: the master of a pseudo-terminal whose slave the port opens.
final class PseudoTerminal: @unchecked Sendable {
  // @unchecked: each test uses its own, on one thread at a time.
  private(set) var master: CInt
  /// The slave, `/dev/pts/N`.
  let path: String

  init() throws {
    var (master, slave): (CInt, CInt) = (-1, -1)
    var name = [CChar](repeating: 0, count: 64)
    try check("openpty") { openpty(&master, &slave, &name, nil, nil) }
    // The slave lives on without a descriptor while the master is open.
    close(slave)
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    _ = fcntl(master, F_SETFD, FD_CLOEXEC)
    self.master = master
    path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { hangUp() }

  func hangUp() {
    guard master >= 0 else { return }
    close(master)
    master = -1
  }

  func send(_ bytes: [UInt8]) throws {
    let count = try check("write") { write(master, bytes, bytes.count) }
    try #require(count == bytes.count)
  }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  /// What is there now; empty when nothing is.
  func take() -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = read(master, &buffer, buffer.count)
    return Array(buffer.prefix(max(0, count)))
  }

  /// Waits for that many bytes; fewer after 10 s without any. Blocks its thread.
  func take(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      guard isReadable(master) else { break }
      bytes += take()
    }
    return bytes
  }
}

/// Waits until the descriptor has something to say, 10 s at most. Blocks its thread.
func isReadable(_ descriptor: CInt) -> Bool {
  var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
  return poll(&entry, 1, 10_000) == 1
}

/// A fresh directory with a symbolic link `port`, which stands for `/dev/serial/by-id/…`.
final class PortLink: Sendable {
  private let directory: String
  var path: String { directory + "/port" }

  init(to target: String? = nil) throws {
    directory = NSTemporaryDirectory() + "baudgate-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    if let target { try point(to: target) }
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  func point(to target: String) throws {
    remove()
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
  }

  func remove() { unlink(path) }
}
