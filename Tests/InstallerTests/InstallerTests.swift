import Configuration
import Foundation
import Synchronization
import Testing

@testable import Installer

@Suite struct InstallerTests {
  @Test func aConfirmedVersionIsNotRolledBack() throws {
    let board = try Board()
    board.ask()
    try board.installer(board.options(install: "cat $1"), daemon: Board.contented).run()
    #expect(board.runs == ["install"])
    #expect(board.state == "installed")
    #expect(board.result["output"] as? String == Board.package)
    #expect(board.result["exit_status"] as? Int == 0)
    #expect(!board.exists("updates/firmware.request"))
  }

  @Test func anUnconfirmedVersionIsRolledBackOnce() throws {
    let board = try Board()
    board.ask()
    try board.installer(board.options(rollback: "echo back; exit 3"), daemon: Board.tidy).run()
    #expect(board.runs == ["install", "rollback not_confirmed"])
    #expect(board.state == "rolled_back")
    #expect(board.error == "version 2.0 did not report itself within 60 s; the rollback command ended with 3")
    #expect(board.result["output"] as? String == "back\n")
  }

  @Test func withoutARollbackItStays() throws {
    let board = try Board()
    board.ask()
    try board.installer(board.options(rollback: nil)).run()
    #expect(board.runs == ["install"])
    #expect(board.state == "installed")
    #expect(!board.exists("updates/firmware.request"), "the unit would be started for it again and again")
  }

  @Test func aWithdrawnRequestEndsTheWait() throws {
    let board = try Board()
    board.ask()
    try board.installer(
      board.options(),
      daemon: { board, _ in if board.state == "installed" { board.remove("updates/firmware.request") } }
    ).run()
    #expect(board.runs == ["install"])
  }

  @Test func aNewerRequestTakesThePlaceOfOneThatWaits() throws {
    let board = try Board()
    board.ask()
    try board.installer(
      board.options(),
      daemon: { board, now in
        if board.state == "installed", board.result["id"] as? String == Board.id { return board.ask(Board.other) }
        Board.tidy(board, now)
      }
    ).run()
    #expect(board.runs == ["install", "install", "rollback not_confirmed"])
    #expect(board.result["id"] as? String == Board.other)
  }

  @Test func aFailingCommandIsNotRolledBackAndSaysWhatItSaid() throws {
    let board = try Board()
    board.ask()
    try board.installer(board.options(install: "echo no room >&2; exit 7"), daemon: Board.tidy).run()
    #expect(board.runs == ["install"])
    #expect(board.state == "failed")
    #expect(board.error == "the install command ended with 7")
    #expect(board.result["exit_status"] as? Int == 7)
    #expect(board.result["output"] as? String == "no room\n")
  }

  @Test func aProgramThatIsNotThereIsNamed() throws {
    let board = try Board()
    board.ask()
    try board.installer(PackageOptions(install: ["/nowhere/install"]), daemon: Board.tidy).run()
    #expect(
      board.error
        == "the install command could not be started: execute /nowhere/install: No such file or directory")
  }

  @Test func aSignalIsNamed() throws {
    let board = try Board()
    board.ask()
    try board.installer(board.options(install: "kill -9 $$"), daemon: Board.tidy).run()
    #expect(board.error == "the install command was ended by signal 9")
  }

  @Test func theTimeLimitEndsTheWholeGroupAndRollsBack() throws {
    let board = try Board()
    board.ask()
    var options = board.options(install: "sleep 1000 & echo $! >\(board.file("child")); wait")
    options.timeLimit = .milliseconds(300)
    try board.installer(options, daemon: Board.tidy).run()
    #expect(board.runs == ["install", "rollback time_limit"])
    #expect(board.state == "rolled_back")
    #expect(board.error.hasPrefix("the install command took longer than 300 ms and was ended"))
    let child = try #require(pid_t(board.read("child").trimmingCharacters(in: .whitespacesAndNewlines)))
    #expect(kill(child, 0) != 0 || Self.isZombie(child))
  }

  /// Orphans of a container without an init stay as zombies.
  private static func isZombie(_ process: pid_t) -> Bool {
    let status = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
    return status.isEmpty || status.contains(") Z ")
  }

  @Test func aFloodIsBounded() throws {
    let board = try Board()
    board.ask()
    let flood = "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo the end"
    try board.installer(board.options(install: flood), daemon: Board.contented).run()
    let output = try #require(board.result["output"] as? String)
    #expect(output.utf8.count == OutputTail.limit)
    #expect(output.hasSuffix("x\nthe end\n"))
    #expect(board.echoed.withLock { $0 } == GatedCommand.echoLimit)
  }

  @Test func whatIsNoUTF8ArrivesAsText() throws {
    let board = try Board()
    board.ask()
    try board.installer(board.options(install: #"printf 'gr\374n\000.'"#), daemon: Board.contented).run()
    #expect(board.result["output"] as? String == "gr\u{FFFD}n.", "a null byte is left out as in all JSON here")
  }

  @Test func aCommandThatClosesItsOutputIsStillWaitedFor() throws {
    let board = try Board()
    board.ask()
    let script = "exec >&- 2>&-; sleep 0.2; echo late >>\(board.file("runs"))"
    try board.installer(board.options(install: script), daemon: Board.contented).run()
    #expect(board.runs == ["install", "late"])
    #expect(board.state == "installed")
  }

  @Test func whatItLeavesRunningIsNotWaitedFor() throws {
    let board = try Board()
    board.ask()
    try board.installer(
      board.options(install: "sleep 1000 & echo $! >\(board.file("child"))"), daemon: Board.contented
    ).run()
    #expect(board.state == "installed")
    let child = try #require(pid_t(board.read("child").trimmingCharacters(in: .whitespacesAndNewlines)))
    #expect(kill(child, SIGKILL) == 0)
  }

  @Test func theEnvironmentIsSmall() throws {
    let board = try Board()
    board.ask()
    var options = PackageOptions(install: ["/usr/bin/env"])
    options.rollback = nil
    try board.installer(options, daemon: Board.contented).run()
    let names = (board.result["output"] as? String ?? "").split(separator: "\n").map { $0.prefix { $0 != "=" } }
    #expect(
      Set(names) == [
        "PATH", "LANG", "DEBIAN_FRONTEND", "BAUDGATE_KIND", "BAUDGATE_TITLE", "BAUDGATE_VERSION",
        "BAUDGATE_FROM_VERSION",
      ])
  }

  @Test func withoutASectionItIsRefusedInWords() throws {
    let board = try Board()
    board.ask()
    try board.installer(nil, daemon: Board.tidy).run()
    #expect(board.state == "failed")
    #expect(board.error == "the configuration has no ota.firmware, which would say how to install it")
  }

  @Test func twoOfAKindAreOneTooMany() throws {
    let board = try Board()
    board.ask()
    let second = Mutex<InstallerError?>(nil)
    try board.installer(
      board.options(),
      daemon: { board, now in
        do throws(InstallerError) { try board.installer(board.options()).run() } catch {
          second.withLock { $0 = error }
        }
        Board.contented(board, now)
      }
    ).run()
    #expect(second.withLock { $0?.code } == .temporary)
    #expect(board.runs == ["install"])
  }

  @Test func theSameIdIsNeverInstalledTwice() throws {
    let board = try Board()
    board.ask()
    try board.installer(board.options(), daemon: Board.contented).run()
    board.ask()
    board.remove("updates/firmware.result")
    try board.installer(board.options()).run()
    #expect(board.runs == ["install"])
    #expect(board.state == "installed")
    #expect(!board.exists("updates/firmware.request"))
  }

  @Test func aBoardThatStartsAgainAndAgainIsRolledBack() throws {
    let board = try Board()
    board.ask()
    #expect(throws: InstallerError.killed) {
      try board.installer(board.options(), killAt: .toldInstalled).run()
    }
    for number in 2...Installer.bootLimit {
      board.boot.withLock { $0 = "boot-\(number)" }
      // A power cut ten seconds after each start.
      let machine = board.installer(board.options())
      var cut = machine.machine
      let start = cut.now()
      cut.pause = { milliseconds in
        _ = machine.machine.pause(milliseconds)
        return machine.machine.now() - start > 10_000
      }
      try Installer(
        .firmware, board.options(), at: machine.places, check: { _ in }, on: cut, log: { _ in }, echo: { _ in }
      ).run()
      #expect(board.runs == ["install"], "boot \(number)")
    }
    board.boot.withLock { $0 = "one too many" }
    try board.installer(board.options(), daemon: Board.tidy).run()
    #expect(board.runs == ["install", "rollback not_confirmed"])
    #expect(board.error.contains("did not report itself within 3 starts of the board"))
  }

  @Test func theClockOfAnotherBootIsNotTakenForThisOnes() throws {
    let board = try Board()
    board.ask()
    #expect(throws: InstallerError.killed) {
      try board.installer(board.options(), killAt: .toldInstalled).run()
    }
    board.boot.withLock { $0 = "boot-2" }
    board.clock.withLock { $0 = 5_000 }
    try board.installer(board.options(), daemon: Board.contented).run()
    #expect(board.runs == ["install"])
  }
}
