import Configuration
import Foundation
import Synchronization
import Testing
import ThingsBoard

@testable import Installer

/// A board whose daemon, clock and kills a test decides upon.
final class Board: Sendable {
  static let id = "0123456789abcdef0123456789abcdef"
  static let other = "fedcba9876543210fedcba9876543210"
  static let package = "the image"

  let path: String
  let clock = Mutex<Int64>(1_000_000)
  let boot = Mutex("boot-1")
  let told = Mutex<[String]>([])
  let echoed = Mutex(0)

  init() throws {
    path = NSTemporaryDirectory() + "/baudgate-installer-\(UInt64.random(in: 0 ... .max))"
    for name in ["updates", "journal"] {
      try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
    }
    write(Self.package, "updates/firmware.package")
    write("", "runs")
  }

  deinit { _ = try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }
  func read(_ name: String) -> String { (try? String(contentsOfFile: file(name), encoding: .utf8)) ?? "" }
  func exists(_ name: String) -> Bool { (try? FileManager.default.attributesOfItem(atPath: file(name))) != nil }
  func remove(_ name: String) { _ = try? FileManager.default.removeItem(atPath: file(name)) }
  func write(_ text: String, _ name: String) {
    #expect(FileManager.default.createFile(atPath: file(name), contents: Data(text.utf8)))
  }

  /// What the daemon asks for.
  func ask(_ id: String = Board.id, size: Int = Board.package.utf8.count, more: String = "") {
    write(
      #"{"format":1,"id":"\#(id)","kind":"firmware","title":"image","version":"2.0","size":\#(size),"checksum":null,"#
        + #""checksum_algorithm":null,"signature":null,"from_version":"1.0"\#(more)}"#, "updates/firmware.request")
  }

  func confirm(_ id: String = Board.id) { write("\(id)\n", "updates/firmware.confirmed") }

  /// What both commands of `options` have noted so far: a line per start.
  var runs: [String] { read("runs").split(separator: "\n").map(String.init) }

  var result: [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(read("updates/firmware.result").utf8))) as? [String: Any] ?? [:]
  }
  var state: String { result["state"] as? String ?? "" }
  var error: String { result["error"] as? String ?? "" }

  /// Commands that note that they ran.
  ///
  /// - Parameter install: What the install command does besides.
  func options(install: String = "true", rollback: String? = "true") -> PackageOptions {
    var options = PackageOptions(install: shell("install", install))
    options.rollback = rollback.map { shell("rollback", $0) }
    options.confirmWithin = .seconds(60)
    options.timeLimit = .seconds(30)
    return options
  }

  private func shell(_ note: String, _ script: String) -> [String] {
    ["/bin/sh", "-c", "echo \(note) $BAUDGATE_REASON >>\(file("runs")); \(script)", "sh", "{file}"]
  }

  func installer(
    _ options: PackageOptions?, check: @escaping PackageClaim.Check = { _ in },
    daemon: @escaping @Sendable (Board, Int64) -> Void = { _, _ in }, killAt: Installer.Step? = nil
  ) -> Installer {
    let machine = Machine(
      boot: boot.withLock { $0 }, now: { [self] in clock.withLock { $0 } },
      pause: { [self] milliseconds in
        let now = clock.withLock { time in
          time += Int64(milliseconds)
          return time
        }
        daemon(self, now)
        return false
      }, termination: -1)
    return Installer(
      .firmware, options, at: .init(updates: file("updates"), journal: file("journal")), check: check, on: machine,
      log: { [self] line in told.withLock { $0.append(line) } },
      echo: { [self] bytes in echoed.withLock { $0 += bytes.count } },
      afterStep: { step throws(InstallerError) in if step == killAt { throw .killed } })
  }

  /// A daemon that removes what is over and confirms nothing.
  static let tidy: @Sendable (Board, Int64) -> Void = { board, _ in
    if ["failed", "rolled_back"].contains(board.state) { board.remove("updates/firmware.request") }
  }

  /// A daemon whose new version reports itself.
  static let contented: @Sendable (Board, Int64) -> Void = { board, now in
    switch board.state {
    case "installed" where board.exists("updates/firmware.confirmed"): board.remove("updates/firmware.request")
    case "installed": board.confirm()
    default: tidy(board, now)
    }
  }
}

extension InstallerError {
  /// What a kill looks like from inside: nothing more is done.
  static let killed = InstallerError(.temporary, "killed")
}
