import EventLoop
import Foundation
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

/// What several tasks note in order; used on one loop alone.
final class Notes: @unchecked Sendable {
  var lines: [String] = []
  func callAsFunction(_ line: String) { lines.append(line) }
}

/// A connected pair of non-blocking sockets, closed at the end.
final class SocketPair: Sendable {
  let near: CInt
  let far: CInt

  init() throws {
    var ends: [CInt] = [-1, -1]
    try check("socketpair") { socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) }
    (near, far) = (ends[0], ends[1])
  }

  deinit {
    close(near)
    close(far)
  }

  func send(_ text: String) throws {
    try check("write") { write(far, text, text.utf8.count) }
  }

  /// What has arrived at the near end; empty when nothing has, or the far end is shut.
  func receive() -> String {
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = read(near, &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
  }
}

/// Lets a task wait for a callback: `signal` resumes `wait`, in either order. Used on one loop alone.
final class Flag: @unchecked Sendable {
  private var isSet = false
  private var waiting: CheckedContinuation<Void, Never>?

  func signal() {
    isSet = true
    waiting?.resume()
    waiting = nil
  }

  func wait(on loop: EventLoop) async {
    await withCheckedContinuation { continuation in
      loop.execute {
        if self.isSet { continuation.resume() } else { self.waiting = continuation }
      }
    }
  }
}

/// Carries a source into a `Sendable` closure of the loop it belongs to.
final class Holder<Value>: @unchecked Sendable {
  var value: Value?
  init(_ value: Value? = nil) { self.value = value }
}
