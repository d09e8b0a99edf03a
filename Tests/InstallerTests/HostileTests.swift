import Configuration
import Foundation
import Synchronization
import Testing
import ThingsBoard

@testable import Installer

/// The daemon's user may put anything into its directory; the installer is root.
@Suite struct HostileTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    let words: String
    init(_ description: String, _ text: String, _ words: String) {
      (testDescription, self.text, self.words) = (description, text, words)
    }
  }

  private static func request(_ changes: (inout [String: Any]) -> Void) -> String {
    var members: [String: Any] = [
      "format": 1, "id": Board.id, "kind": "firmware", "title": "image", "version": "2.0", "size": 9,
    ]
    changes(&members)
    let data = try? JSONSerialization.data(withJSONObject: members)
    return String(decoding: data ?? Data(), as: UTF8.self)
  }

  static let rows = [
    Row("empty", "", "the request is no JSON: byte 0: nothing but white space"),
    Row("no JSON", "id=1", "the request is no JSON"),
    Row("an array", "[1]", "the request has no id"),
    Row("deep", String(repeating: "[", count: 10_000), "the request is no JSON"),
    Row("long", String(repeating: " ", count: 65_537), "the request is longer than 65536 bytes"),
    Row("no id", request { $0["id"] = nil }, "the request has no id of 32 hexadecimal digits"),
    Row("an id that is a path", request { $0["id"] = "../../../../../../../etc/passwd00" }, "the request has no id"),
    Row("another format", request { $0["format"] = 2 }, "the request's format is not 1"),
    Row("another kind", request { $0["kind"] = "software" }, "the request is not for firmware"),
    Row("no size", request { $0["size"] = nil }, "the request's size is no positive number"),
    Row("a negative size", request { $0["size"] = -1 }, "the request's size is no positive number"),
    Row("a size beyond the limit", request { $0["size"] = Int64.max }, "ota.firmware.max_size is"),
    Row(
      "a size that is not the file's", request { $0["size"] = 8 }, "firmware.package has 9 bytes, not the 8 requested"),
    Row("no version", request { $0["version"] = nil }, "the request has no title or no version"),
    Row("a version of two lines", request { $0["version"] = "1\n2" }, "the request's version is no text"),
    Row("a version with a null byte", request { $0["version"] = "1\u{0}2" }, "the request's version is no text"),
    Row("a number as title", request { $0["title"] = 7 }, "the request's title is no text"),
    Row(
      "a title without end", request { $0["title"] = String(repeating: "x", count: 2000) },
      "the request's title is no text"),
  ]

  @Test(arguments: rows) func requestsAreRefusedInWordsAndRemoved(_ row: Row) throws {
    let board = try Board()
    board.write(row.text, "updates/firmware.request")
    try board.installer(board.options()).run()
    #expect(board.runs == [])
    #expect(board.state == "failed")
    #expect(board.error.contains(row.words), "\(board.error)")
    #expect(!board.exists("updates/firmware.request"))
  }

  @Test func aLinkForARequestIsNotFollowed() throws {
    let board = try Board()
    board.ask()
    try FileManager.default.moveItem(atPath: board.file("updates/firmware.request"), toPath: board.file("elsewhere"))
    symlink(board.file("elsewhere"), board.file("updates/firmware.request"))
    try board.installer(board.options()).run()
    #expect(board.runs == [])
    #expect(board.error == "the request is no regular file")
    #expect(board.exists("elsewhere"))
  }

  @Test func aPipeForARequestKeepsNobodyWaiting() throws {
    let board = try Board()
    mkfifo(board.file("updates/firmware.request"), 0o600)
    try board.installer(board.options()).run()
    #expect(board.error == "the request is no regular file")
  }

  @Test(arguments: ["link", "pipe", "directory", "nothing"]) func thePackageMustBeAFile(_ kind: String) throws {
    let board = try Board()
    board.ask()
    let package = board.file("updates/firmware.package")
    try FileManager.default.moveItem(atPath: package, toPath: board.file("elsewhere"))
    switch kind {
    case "link": symlink(board.file("elsewhere"), package)
    case "pipe": mkfifo(package, 0o600)
    case "directory": mkdir(package, 0o700)
    default: break
    }
    try board.installer(board.options(), daemon: Board.tidy).run()
    #expect(board.runs == [])
    #expect(board.state == "failed")
    #expect(board.error.contains("firmware.package"))
  }

  /// Links in the place of what is written: their targets stay as they are.
  @Test(arguments: ["firmware.result", "firmware.result.new"]) func linksAreReplacedNotFollowed(_ name: String) throws {
    let board = try Board()
    board.ask()
    board.write("precious", "target")
    symlink(board.file("target"), board.file("updates/\(name)"))
    try board.installer(board.options(), daemon: Board.contented).run()
    #expect(board.state == "installed")
    #expect(board.read("target") == "precious")
    let attributes = try FileManager.default.attributesOfItem(atPath: board.file("updates/firmware.result"))
    #expect(attributes[.type] as? FileAttributeType == .typeRegular)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  @Test func aLinkForTheDirectoryIsRefused() throws {
    let board = try Board()
    board.ask()
    try FileManager.default.moveItem(atPath: board.file("updates"), toPath: board.file("moved"))
    symlink(board.file("moved"), board.file("updates"))
    #expect(throws: InstallerError.self) { try board.installer(board.options()).run() }
    #expect(!board.exists("moved/firmware.result"))
  }

  @Test(.enabled(if: geteuid() == 0, "only root gives files away")) func resultsBelongToTheDirectorysOwner() throws {
    let board = try Board()
    board.ask()
    chown(board.file("updates"), 65_534, 65_534)
    try board.installer(board.options(), daemon: Board.contented).run()
    let attributes = try FileManager.default.attributesOfItem(atPath: board.file("updates/firmware.result"))
    #expect(attributes[.ownerAccountID] as? Int == 65_534)
  }

  @Test func whatTheCheckSaysIsTheReason() throws {
    struct Mismatch: Error, CustomStringConvertible { let description = "the checksum is another" }
    let board = try Board()
    board.ask()
    try board.installer(board.options(), check: { _ in throw Mismatch() }, daemon: Board.tidy).run()
    #expect(board.runs == [])
    #expect(board.error == "the checksum is another")
  }

  /// Between check and installation the daemon's user exchanges the package: what was checked is installed.
  @Test func withAKeyACopyIsCheckedAndInstalled() throws {
    let board = try Board()
    board.ask()
    var options = board.options(install: "cat $1")
    options.publicKey = [UInt8](repeating: 7, count: 32)
    let checked = Mutex<PackageClaim?>(nil)
    try board.installer(
      options,
      check: { [board] claim in
        checked.withLock { $0 = claim }
        board.write("evil img!", "updates/firmware.package")
      }, daemon: Board.contented
    ).run()
    #expect(checked.withLock { $0?.publicKey } == options.publicKey)
    #expect(board.result["output"] as? String == Board.package)
    #expect(!board.exists("journal/firmware.package"), "a copy takes the space of an image")
  }

  @Test func withoutAKeyWhatWasOpenedIsWhatIsChecked() throws {
    let board = try Board()
    board.ask()
    let seen = Mutex("")
    try board.installer(
      board.options(),
      check: { [board] claim in
        board.remove("updates/firmware.package")
        board.write("evil img!", "updates/firmware.package")
        let text = try String(contentsOfFile: "/proc/self/fd/\(claim.descriptor)", encoding: .utf8)
        seen.withLock { $0 = text }
      }, daemon: Board.contented
    ).run()
    #expect(seen.withLock { $0 } == Board.package)
  }
}
