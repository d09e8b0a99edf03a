import Foundation

/// A directory of the test's own, removed at the end.
final class Scratch: Sendable {
  let path: String

  init() throws {
    // Short, since unix sockets live in it; in memory where possible, as the runtime directory is.
    let base = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
    path = "\(base)/bg-\(UInt32.random(in: 0...UInt32.max))"
    for name in ["", "/state", "/run", "/faults"] {
      try FileManager.default.createDirectory(
        atPath: path + name, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }
  }

  deinit {
    _ = try? FileManager.default.removeItem(atPath: path)
  }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  func write(_ text: String, to name: String) throws {
    try text.write(toFile: file(name), atomically: false, encoding: .utf8)
  }

  func read(_ name: String) -> String {
    (try? String(contentsOfFile: file(name), encoding: .utf8)) ?? ""
  }
}

/// Waits for something to become true; the bound only keeps a failing test from hanging.
func eventually(
  within limit: Duration = .seconds(30), _ condition: @Sendable () async throws -> Bool
) async throws -> Bool {
  let end = ContinuousClock.now + limit
  while ContinuousClock.now < end {
    if try await condition() { return true }
    try await Task.sleep(for: .milliseconds(10))
  }
  return try await condition()
}
