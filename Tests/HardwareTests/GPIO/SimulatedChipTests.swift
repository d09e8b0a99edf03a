import EventLoop
import Foundation
import Telemetry
import Testing

@testable import Hardware

/// Simulated chips in real directories.
@Suite struct SimulatedChipTests {
  // MARK: Outputs

  @Test func outputsExistWithTheirInitialValueWhenStartReturns() throws {
    let directory = try LineDirectory(exists: false)
    try onLoop { loop in
      let bench = GPIOBench(
        loop,
        [.output("relay", 23, on: directory.chip), .output("lamp", 4, on: directory.chip, initial: true, safe: .hold)])
      await bench.gpio.start()
      #expect(directory.contents(23) == "0")
      #expect(directory.contents(4) == "1")
      #expect(bench.events.map(\.line) == ["relay", "lamp"])
      #expect(bench.events.map(\.value) == [false, true])
      #expect(await bench.value(of: "lamp") == true)
      await bench.gpio.stop()
    }
  }

  @Test func anOutputIsWrittenInPlaceBeforeSetReturns() throws {
    let directory = try LineDirectory()
    try directory.write("1 and a note\n", to: 23)
    let inode = try directory.inode(23)
    try onLoop { loop in
      let bench = GPIOBench(loop, [.output("relay", 23, on: directory.chip)])
      await bench.gpio.start()
      #expect(directory.contents(23) == "0 and a note\n")
      #expect(await bench.set("relay", to: true) == true)
      #expect(directory.contents(23) == "1 and a note\n")
      #expect(await bench.value(of: "relay") == true)
      #expect(await bench.set("relay", to: false) == false)
      #expect(directory.contents(23) == "0 and a note\n")
      let after = try directory.inode(23)
      #expect(after == inode)
      #expect(bench.said("relay") == [false, true, false])
      await bench.gpio.stop()
    }
  }

  @Test func anOutputsFileThatWasRemovedIsMadeAgain() throws {
    let directory = try LineDirectory()
    try onLoop { loop in
      let bench = GPIOBench(loop, [.output("relay", 23, on: directory.chip)])
      await bench.gpio.start()
      unlink(directory.file(23))
      #expect(await bench.set("relay", to: true) == true)
      #expect(directory.contents(23) == "1")
      await bench.gpio.stop()
    }
  }

  @Test(arguments: [(GPIOLineOptions.Safe.off, "0"), (.on, "1"), (.hold, "1")])
  func aStopLeavesAnOutputAtItsSafeValue(_ safe: GPIOLineOptions.Safe, _ contents: String) throws {
    let directory = try LineDirectory()
    try onLoop { loop in
      let bench = GPIOBench(loop, [.output("relay", 23, on: directory.chip, safe: safe)])
      await bench.gpio.start()
      _ = try await bench.gpio.set("relay", to: true)
      await bench.gpio.stop()
      #expect(directory.contents(23) == contents)
      #expect(await bench.failure { _ = try await bench.gpio.set("relay", to: true) } == .unavailable)
    }
  }

  @Test func whereLowIsOnTheByteIsTheOther() throws {
    let directory = try LineDirectory()
    try directory.write("1", to: 17)
    try onLoop { loop in
      var lines = [
        GPIOLineOptions.output("relay", 23, on: directory.chip), .input("door", 17, on: directory.chip),
        .input("open", 18, on: directory.chip),
      ]
      for index in lines.indices { lines[index].isActiveLow = true }
      let bench = GPIOBench(loop, lines)
      await bench.gpio.start()
      #expect(directory.contents(23) == "1")
      #expect(await bench.set("relay", to: true) == true)
      #expect(directory.contents(23) == "0")
      #expect(bench.said("open") == [false], "what says nothing is off")
      try directory.write("0", to: 17)
      await bench.until("door", says: [false, true])
      await bench.gpio.stop()
    }
  }

  // MARK: Inputs

  @Test(arguments: LineDirectory.Manner.allCases)
  func anInputsChangeIsReportedOnceHoweverItIsWritten(_ manner: LineDirectory.Manner) throws {
    let directory = try LineDirectory()
    try directory.write("0", to: 17)
    try onLoop { loop in
      let bench = GPIOBench(loop, [.input("door", 17, on: directory.chip)])
      await bench.gpio.start()
      #expect(bench.said("door") == [false])
      let before = CaptureTime.now()
      try directory.write("1", to: 17, manner)
      await bench.until("door", says: [false, true])
      #expect(try #require(bench.events.last).time.boottime >= before.boottime)
      // The file's new self is followed as well.
      try directory.write("0\n", to: 17)
      await bench.until("door", says: [false, true, false])
      #expect(await bench.gpio.status[0].changes == 2)
      await bench.gpio.stop()
    }
  }

  @Test func anInputWithoutAFileIsOffUntilOneComes() throws {
    let directory = try LineDirectory()
    try onLoop { loop in
      let bench = GPIOBench(loop, [.input("door", 17, on: directory.chip)])
      await bench.gpio.start()
      #expect(await bench.value(of: "door") == false)
      #expect(directory.contents(17) == nil, "an input's file is not ours to make")
      try directory.write("1", to: 17)
      await bench.until("door", says: [false, true])
      await bench.gpio.stop()
    }
  }

  enum Silence: CaseIterable, Sendable { case empty, missing, garbage }

  @Test(arguments: Silence.allCases)
  func aFileThatSaysNothingChangesNothing(_ silence: Silence) throws {
    let directory = try LineDirectory()
    for offset in [17, 18] { try directory.write("1", to: offset) }
    try onLoop { loop in
      let bench = GPIOBench(loop, [.input("door", 17, on: directory.chip), .input("bell", 18, on: directory.chip)])
      await bench.gpio.start()
      switch silence {
      case .empty: try #require(truncate(directory.file(17), 0) == 0)
      case .missing: unlink(directory.file(17))
      case .garbage:
        for text in ["x", "xy"] { try directory.write(text, to: 17, .truncating) }
      }
      // Comes after whatever the first would have done.
      try directory.write("0", to: 18)
      await bench.until("bell", says: [true, false])
      #expect(bench.said("door") == [true])
      #expect(await bench.value(of: "door") == true)
      let warnings = bench.log.told.filter { $0.hasPrefix("warning") }
      #expect(
        warnings
          == (silence == .garbage
            ? [
              "warning: door: \(directory.file(17)) begins with \"x\", expected 0 or 1; the line stays as it is"
            ] : []))
      try directory.write("0", to: 17, .truncating)
      await bench.until("door", says: [true, false])
      await bench.gpio.stop()
    }
  }

  /// - Returns: Whether the level fell back in time. A machine too busy for that is asked again.
  static func bounce(_ directory: LineDirectory, _ loop: EventLoop, between: Duration = .milliseconds(1)) async throws
    -> Bool
  {
    let began = Uptime.monotonic
    try directory.write("1", to: 17)
    try await loop.sleep(for: between, accuracy: .microseconds(1))
    try directory.write("0", to: 17)
    return Uptime.monotonic - began < .milliseconds(20)
  }

  @Test func aLevelThatDoesNotStandIsNotReported() throws {
    let directory = try LineDirectory()
    for offset in [17, 18] { try directory.write("0", to: offset) }
    try onLoop { loop in
      let bench = GPIOBench(loop, [.input("door", 17, on: directory.chip), .input("bell", 18, on: directory.chip)])
      await bench.gpio.start()
      var bells = [false]
      var wasShort = false
      while !wasShort {
        let before = bench.said("door").count
        wasShort = try await Self.bounce(directory, loop)
        // Stands later than the bounce would have.
        bells.append(!(bells.last ?? false))
        try directory.write(bells.last == true ? "1" : "0", to: 18)
        await bench.until("bell", says: bells)
        if wasShort { #expect(bench.said("door").count == before) }
      }
      await bench.gpio.stop()
    }
  }

  @Test func aBounceDuringAStallOfTheLoopIsNotReported() throws {
    let directory = try LineDirectory()
    try directory.write("0", to: 17)
    try onLoop { loop in
      let bench = GPIOBench(loop, [.input("door", 17, on: directory.chip)])
      await bench.gpio.start()
      var wasShort = false
      while !wasShort {
        let before = bench.said("door").count
        wasShort = try await Self.bounce(directory, loop)
        // The timer is due when the change back has not been read yet.
        usleep(25_000)
        try await loop.sleep(for: .milliseconds(1))
        if wasShort { #expect(bench.said("door").count == before) }
        try await bench.poll { $0.said("door").last == false }
      }
      await bench.gpio.stop()
    }
  }

  @Test func whatAnOverflowOfTheQueueSwallowedIsRead() throws {
    let directory = try LineDirectory()
    try directory.write("0", to: 17)
    let limit = try #require(
      FileManager.default.contents(atPath: "/proc/sys/fs/inotify/max_queued_events").flatMap {
        Int(String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
      })
    try #require(limit <= 1 << 20, "more than a test can fill")
    try onLoop { loop in
      let bench = GPIOBench(loop, [.input("door", 17, on: directory.chip)])
      await bench.gpio.start()
      // Two names in turn, since an event like the last is merged with it.
      let names = ["a", "b"].map { "\(directory.path)/\($0)" }
      close(try check("open") { open(names[0], O_CREAT | O_WRONLY, 0o600) })
      for count in 0...limit { try check("rename") { rename(names[count % 2], names[(count + 1) % 2]) } }
      try directory.write("1", to: 17, .renaming)
      await bench.until("door", says: [false, true])
      try directory.write("0", to: 17)
      await bench.until("door", says: [false, true, false])
      await bench.gpio.stop()
    }
  }

  // MARK: The directory

  enum Loss: CaseIterable, Sendable { case removed, renamed }

  @Test(arguments: Loss.allCases)
  func aDirectoryThatVanishesIsWaitedFor(_ loss: Loss) throws {
    let directory = try LineDirectory()
    try directory.write("1", to: 17)
    try onLoop { loop in
      let bench = GPIOBench(loop, [.output("relay", 23, on: directory.chip), .input("door", 17, on: directory.chip)])
      await bench.gpio.start()
      _ = try await bench.gpio.set("relay", to: true)
      switch loss {
      case .removed: try directory.remove()
      case .renamed: try directory.moveAway()
      }
      try await bench.poll { await $0.gpio.status.allSatisfy { $0.value == nil && $0.error != nil } }
      #expect(await bench.failure { _ = try await bench.gpio.set("relay", to: true) } == .unavailable)
      #expect(await bench.failure { _ = try await bench.gpio.value(of: "door") } == .unavailable)
      #expect(!FileManager.default.fileExists(atPath: directory.path), "who removed it makes it again")
      switch loss {
      case .removed:
        try directory.make()
        try directory.write("0", to: 17)
      case .renamed:
        try directory.moveBack()
        try directory.write("0", to: 17)
      }
      try await bench.poll { await $0.gpio.status.allSatisfy { $0.value != nil && $0.error == nil } }
      // An output begins anew, as after a start.
      #expect(directory.contents(23) == "0")
      #expect(bench.said("relay") == [false, true, false])
      #expect(bench.said("door") == [true, false])
      try directory.write("1", to: 17)
      await bench.until("door", says: [true, false, true])
      let told = bench.log.told.filter { $0.contains("relay") }
      #expect(told.count == 3)
      #expect(told[1].hasPrefix("warning: relay: \(directory.path) was removed or renamed; make it again; it was ours"))
      #expect(told[2].hasPrefix("notice: relay: output 23 of simulated:\(directory.path) is ours after"))
      await bench.gpio.stop()
    }
  }

  @Test func aDirectoryWhoseParentIsMissingIsAskedForAgain() throws {
    let directory = try LineDirectory(exists: false)
    let path = directory.path + "/deeper"
    try onLoop { loop in
      let bench = GPIOBench(loop, [.output("relay", 23, on: .simulated(path))])
      await bench.gpio.start()
      #expect(await bench.failure { _ = try await bench.gpio.set("relay", to: true) } == .unavailable)
      #expect(
        bench.log.told == [
          "warning: relay: \(path) is not there; make the directory, check `chip:`; tried again at least every 4 ms "
            + "(mkdir: No such file or directory)"
        ])
      try directory.make()
      await bench.until("relay", says: [false])
      #expect(FileManager.default.contents(atPath: path + "/line23") == Data("0".utf8))
      await bench.gpio.stop()
    }
  }

  @Test func aLineThatIsNoFileIsOneLineOfTheLogAndHoldsUpNoOther() throws {
    let directory = try LineDirectory()
    try FileManager.default.createDirectory(atPath: directory.file(23), withIntermediateDirectories: false)
    try #require(mkfifo(directory.file(24), 0o600) == 0)
    try onLoop { loop in
      let bench = GPIOBench(
        loop,
        [
          .output("relay", 23, on: directory.chip), .output("lamp", 24, on: directory.chip),
          .output("fan", 25, on: directory.chip),
        ])
      await bench.gpio.start()
      #expect(await bench.set("fan", to: true) == true)
      #expect(await bench.failure { _ = try await bench.gpio.set("lamp", to: true) } == .unavailable)
      #expect(
        bench.log.told.filter { $0.hasPrefix("error") } == [
          "error: relay: \(directory.file(23)) is no plain file; remove it; tried again at least every 8 ms "
            + "(open: Is a directory)",
          "error: lamp: \(directory.file(24)) is no plain file; remove it; tried again at least every 8 ms "
            + "(pwrite: Illegal seek)",
        ])
      try FileManager.default.removeItem(atPath: directory.file(23))
      await bench.until("relay", says: [false])
      await bench.gpio.stop()
    }
  }

  @Test func aBareStartAndStopDoNothingToInputs() throws {
    let directory = try LineDirectory()
    try directory.write("1", to: 17)
    try onLoop { loop in
      let bench = GPIOBench(loop, [.input("door", 17, on: directory.chip)])
      for round in 1...3 {
        await bench.gpio.start()
        #expect(await bench.value(of: "door") == true, "round \(round)")
        await bench.gpio.stop()
      }
      #expect(directory.contents(17) == "1")
      #expect(bench.said("door") == [true])
    }
  }
}
