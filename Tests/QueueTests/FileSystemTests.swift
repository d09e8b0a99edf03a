import EventLoop
import Foundation
import Testing

@testable import Queue

/// What the queue relies on, of the kernel's file system and of the simulated one: the second is worth nothing where
/// it differs from the first.
@Suite struct FileSystemTests {
  enum BackEnd: String, CaseIterable { case kernel, simulated }

  static func within(_ backEnd: BackEnd, _ body: (any FileSystem, String) throws -> Void) throws {
    switch backEnd {
    case .simulated:
      let disk = SimulatedDisk()
      try disk.makeDirectory("/var/test")
      try body(disk, "/var/test")
    case .kernel:
      let directory = FileManager.default.temporaryDirectory.appendingPathComponent("queue-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: directory) }
      try body(SystemFileSystem(), directory.path)
    }
  }

  static func errno(_ body: () throws(SystemError) -> Void) -> CInt? {
    do { try body() } catch { return error.errno }
    return nil
  }

  @Test(arguments: BackEnd.allCases) func appendsAndReadsBack(_ backEnd: BackEnd) throws {
    try Self.within(backEnd) { files, directory in
      let file = try files.open("\(directory)/log", .createNew)
      #expect(try files.append(file, [1, 2, 3]) == 3)
      #expect(try files.append(file, [4, 5]) == 2)
      #expect(try files.size(file) == 5)
      #expect(try files.size(at: "\(directory)/log") == 5)
      #expect(try files.read(file, count: 10, at: 1) == [2, 3, 4, 5])
      #expect(try files.read(file, count: 10, at: 5) == [])
      #expect(try files.read(file, count: 10, at: 50) == [])
      try files.truncate(file, to: 2)
      #expect(try files.append(file, [9]) == 1)
      #expect(try files.read(file, count: 10, at: 0) == [1, 2, 9])
      try files.synchronizeData(file)
      files.close(file)
      let again = try files.open("\(directory)/log", .append)
      #expect(try files.append(again, [7]) == 1)
      #expect(try files.read(again, count: 10, at: 0) == [1, 2, 9, 7])
      files.close(again)
    }
  }

  @Test(arguments: BackEnd.allCases) func writesInPlace(_ backEnd: BackEnd) throws {
    try Self.within(backEnd) { files, directory in
      let file = try files.open("\(directory)/cursor", .update)
      try files.write(file, all: [1, 2], at: 4)
      try files.write(file, all: [9], at: 0)
      #expect(try files.read(file, count: 10, at: 0) == [9, 0, 0, 0, 1, 2])
      files.close(file)
      let again = try files.open("\(directory)/cursor", .update)
      try files.write(again, all: [8], at: 5)
      #expect(try files.read(again, count: 10, at: 4) == [1, 8])
      files.close(again)
    }
  }

  @Test(arguments: BackEnd.allCases) func saysWhatIsNotThereAndWhatIs(_ backEnd: BackEnd) throws {
    try Self.within(backEnd) { files, directory in
      #expect(Self.errno { () throws(SystemError) in _ = try files.open("\(directory)/no", .read) } == ENOENT)
      #expect(Self.errno { () throws(SystemError) in _ = try files.open("\(directory)/no/x", .append) } == ENOENT)
      #expect(Self.errno { () throws(SystemError) in _ = try files.list("\(directory)/no") } == ENOENT)
      #expect(Self.errno { () throws(SystemError) in _ = try files.size(at: "\(directory)/no") } == ENOENT)
      #expect(Self.errno { () throws(SystemError) in try files.unlink("\(directory)/no") } == ENOENT)
      #expect(Self.errno { () throws(SystemError) in try files.makeDirectory("\(directory)/a/b") } == ENOENT)
      files.close(try files.open("\(directory)/x", .createNew))
      #expect(Self.errno { () throws(SystemError) in _ = try files.open("\(directory)/x", .createNew) } == EEXIST)
      try files.makeDirectories("\(directory)/a/b/c", isDurable: true)
      #expect(Self.errno { () throws(SystemError) in try files.makeDirectory("\(directory)/a/b") } == EEXIST)
      #expect(try files.list(directory).sorted() == ["a", "x"])
      try files.rename("\(directory)/x", to: "\(directory)/y")
      #expect(try files.list(directory).sorted() == ["a", "y"])
      try files.synchronizeDirectory(directory)
      try files.unlink("\(directory)/y")
      #expect(try files.list(directory) == ["a"])
    }
  }

  @Test(arguments: BackEnd.allCases) func anOpenFileOutlivesItsName(_ backEnd: BackEnd) throws {
    try Self.within(backEnd) { files, directory in
      let file = try files.open("\(directory)/log", .createNew)
      #expect(try files.append(file, [1, 2, 3]) == 3)
      try files.unlink("\(directory)/log")
      #expect(try files.append(file, [4]) == 1)
      #expect(try files.read(file, count: 9, at: 0) == [1, 2, 3, 4])
      files.close(file)
      let closed = file
      #expect(Self.errno { () throws(SystemError) in _ = try files.size(closed) } == EBADF)
    }
  }

  @Test func theSimulatedDiskForgetsWhatWasNotSynced() throws {
    var seen: Set<[UInt8]?> = []
    for seed in 1...40 as ClosedRange<UInt64> {
      var generator = SeededGenerator(seed: seed)
      let disk = SimulatedDisk()
      try disk.makeDirectories("/var/d", isDurable: true)
      let file = try disk.open("/var/d/log", .createNew)
      _ = try disk.append(file, [1, 2])
      try disk.synchronizeData(file)
      try disk.synchronizeDirectory("/var/d")
      _ = try disk.append(file, [3, 4])
      _ = try disk.append(try disk.open("/var/d/new", .createNew), [5])
      disk.cutPower(using: &generator)
      let log = disk["/var/d/log"] ?? []
      #expect(log.starts(with: [1, 2]))
      seen.insert(log)
      seen.insert(disk["/var/d/new"])
    }
    #expect(seen.contains([1, 2]) && seen.contains([1, 2, 3, 4]) && seen.contains(nil) && seen.contains([5]))
  }

  /// The queue on the kernel's file system, end to end.
  @Test func aQueueOnRealFilesSurvivesItsProcess() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("queue-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try onLoop { loop in
      let open = {
        await TelemetryQueue.open(
          device: "pump", hotDirectory: "\(directory)/run", stateDirectory: "\(directory)/state",
          options: QueueOptions(), loop: loop, disk: Rig.sharedPool, log: .init(label: "test"))
      }
      let first = await open()
      await first.append("a", 1...3)
      await first.acknowledge(through: 1)
      let second = await open()
      #expect(await second.nextBatch(maxRecords: 9, maxBytes: 99)?.records.map(\.text) == ["a2", "a3"])
      await second.close()
      try FileManager.default.removeItem(atPath: "\(directory)/run")
      let third = await open()
      #expect(await third.nextBatch(maxRecords: 9, maxBytes: 99)?.records.map(\.text) == ["a2", "a3"])
      await third.acknowledge(through: .max)
      await third.close()
      let rest = try FileManager.default.contentsOfDirectory(atPath: "\(directory)/state/queue/pump")
      #expect(rest == ["cursor"])
      #expect(await open().depth == 0)
    }
  }

  /// The timer that the other tests turn by hand.
  @Test func theTimerPersistsOnItsOwn() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("queue-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try onLoop { loop in
      let queue = await TelemetryQueue.open(
        device: "pump", hotDirectory: "\(directory)/run", stateDirectory: "\(directory)/state",
        options: QueueOptions(maxSize: 1 << 20, persistAfter: .milliseconds(20), memory: 1 << 20), loop: loop,
        disk: Rig.sharedPool, log: .init(label: "test"))
      await queue.append("a", 1...3)
      while await queue.persisted < 3 { await queue.nextUpkeep() }
      let list = { () throws in try FileManager.default.contentsOfDirectory(atPath: "\(directory)/state/queue/pump") }
      let persisted = try list()
      #expect(persisted.count == 1)
      await queue.acknowledge(through: 3)
      while await !queue.cardSummary.segments.isEmpty { await queue.nextUpkeep() }
      let rest = try list()
      #expect(rest == ["cursor"])
    }
  }
}

extension TelemetryQueue {
  /// Suspends until the upkeep that comes next, or runs, is over.
  fileprivate func nextUpkeep() async {
    await withCheckedContinuation { upkeepWaiters.append($0) }
  }
}
