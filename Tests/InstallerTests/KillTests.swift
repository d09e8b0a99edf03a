import Foundation
import Testing

@testable import Installer

/// The installer ends after each of its steps in turn and is started again, in the same boot or in the next: the package
/// is installed once, or rolled back, and the result says so.
@Suite struct KillTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let step: Installer.Step
    let isReboot: Bool
    /// What both lives together ran.
    let runs: [String]
    let state: String
    var testDescription: String { "killed after \(step)\(isReboot ? ", with the machine" : "")" }
  }

  static let rows = [false, true].flatMap { isReboot in
    Installer.Step.allCases.map { step in
      switch step {
      // Nothing had begun: it begins again.
      case .packageChecked, .toldInstalling, .forked:
        Row(step: step, isReboot: isReboot, runs: ["install", "rollback not_confirmed"], state: "rolled_back")
      // The gate had not opened, but what is written down counts.
      case .recordedInstalling:
        Row(step: step, isReboot: isReboot, runs: ["rollback interrupted"], state: "rolled_back")
      case .commandEnded:
        Row(step: step, isReboot: isReboot, runs: ["install", "rollback interrupted"], state: "rolled_back")
      case .recordedInstalled, .toldInstalled:
        Row(step: step, isReboot: isReboot, runs: ["install", "rollback not_confirmed"], state: "rolled_back")
      // Never begun a second time.
      case .recordedRollback: Row(step: step, isReboot: isReboot, runs: ["install"], state: "rolled_back")
      case .rollbackEnded, .recordedEnd, .toldEnd, .requestRemoved:
        Row(step: step, isReboot: isReboot, runs: ["install", "rollback not_confirmed"], state: "rolled_back")
      }
    }
  }

  @Test(arguments: rows) func anotherLifeEndsRight(_ row: Row) throws {
    let board = try Board()
    board.ask()
    #expect(throws: InstallerError.killed) {
      try board.installer(board.options(), killAt: row.step).run()
    }
    if row.isReboot {
      board.boot.withLock { $0 = "boot-2" }
      board.clock.withLock { $0 = 3_000 }
    }
    try board.installer(board.options()).run()
    #expect(board.runs == row.runs)
    #expect(board.state == row.state)
    #expect(!board.exists("updates/firmware.request"))
    // And a third one, for which there is nothing left to do.
    try board.installer(board.options()).run()
    #expect(board.runs == row.runs)
  }

  @Test func aKillInTheRollbackIsReported() throws {
    let board = try Board()
    board.ask()
    #expect(throws: InstallerError.killed) {
      try board.installer(board.options(), killAt: .recordedRollback).run()
    }
    try board.installer(board.options(), daemon: Board.tidy).run()
    #expect(board.error.contains("the rollback was interrupted and is not begun twice"))
  }

  @Test func withoutARollbackAnInterruptionIsAFailure() throws {
    let board = try Board()
    board.ask()
    #expect(throws: InstallerError.killed) {
      try board.installer(board.options(rollback: nil), killAt: .recordedInstalling).run()
    }
    try board.installer(board.options(rollback: nil), daemon: Board.tidy).run()
    #expect(board.runs == [])
    #expect(board.state == "failed")
    #expect(
      board.error
        == "the installation was interrupted, and how far it came is not known; there is no ota.firmware.rollback")
  }

  @Test func aConfirmationThatCameMeanwhileCounts() throws {
    let board = try Board()
    board.ask()
    #expect(throws: InstallerError.killed) {
      try board.installer(board.options(), killAt: .toldInstalled).run()
    }
    board.clock.withLock { $0 += 3_600_000 }
    board.confirm()
    try board.installer(board.options()).run()
    #expect(board.runs == ["install"])
    #expect(board.state == "installed")
  }

  @Test func aCommandWhoseInstallerDiedIsEndedFirst() throws {
    let board = try Board()
    // The orphan: it waits at its gate, which is as good as at work.
    let command = try GatedCommand(["/bin/sleep", "1000"], environment: [])
    let running = command.record(in: "boot-1")
    let record = InstallRecord(
      id: Board.id, title: "image", version: "2.0", fromVersion: nil, phase: .installing(running),
      result: InstallResult(Board.id, .installing))
    board.write(record.json.text, "journal/firmware.json")
    #expect(InstallRecord.RunningCommand.start(of: running.process) == running.start)
    try board.installer(board.options(), daemon: Board.tidy).run()
    #expect(command.record(in: "boot-1").start == 0, "it is still there")
    #expect(board.runs == ["rollback interrupted"])
  }

  @Test func aStrangerOfTheSameNumberIsLeftAlone() throws {
    let child = try GatedCommand(["/bin/sleep", "1000"], environment: [])
    let running = child.record(in: "boot-1")
    InstallRecord.RunningCommand(process: running.process, start: running.start - 1, boot: "boot-1").end(in: "boot-1")
    InstallRecord.RunningCommand(process: running.process, start: running.start, boot: "boot-0").end(in: "boot-1")
    #expect(child.record(in: "boot-1") == running, "it was ended")
  }

  @Test func anUnreadableRecordRefusesWhatIsAskedFor() throws {
    let board = try Board()
    board.ask()
    board.write("{\"format\":9", "journal/firmware.json")
    try board.installer(board.options(), daemon: Board.tidy).run()
    #expect(board.runs == [])
    #expect(board.state == "failed")
    #expect(board.exists("journal/firmware.json.unreadable"))
    board.ask(Board.other)
    try board.installer(board.options(), daemon: { board, _ in board.confirm(Board.other) }).run()
    #expect(board.runs == ["install"])
  }

  @Test(arguments: [
    InstallRecord.Phase.installing(.init(process: 77, start: 4711, boot: "b")),
    .installed(boot: "b", since: 12, boots: 2), .rollingBack(.init(process: 77, start: 1, boot: "b"), reason: "so"),
    .ended,
  ]) func aRecordIsReadAsItWasWritten(_ phase: InstallRecord.Phase) {
    let record = InstallRecord(
      id: Board.id, title: "t", version: "v", fromVersion: nil, phase: phase,
      result: InstallResult(Board.id, .installed, error: "e", exitStatus: 3, output: "o\n"))
    #expect(InstallRecord(parsing: Array(record.json.text.utf8)) == record)
  }
}
