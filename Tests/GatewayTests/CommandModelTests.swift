import Foundation
import Testing

@testable import Gateway

/// The memory and its file against a model of the server, under random deliveries, duplicates, kills, restarts and lost
/// replies: each command runs at most once, each is answered, and a number that was used before is no obstacle.
@Suite struct CommandModelTests {
  @Test(arguments: 0..<24) func atMostOnceAndAlwaysAnswered(seed: Int) throws {
    var model = try CommandModel(seed: UInt64(seed))
    for _ in 0..<3000 { try model.step() }
    try model.settle()
    model.check()
  }

  @Test func theModelMeetsWhatItIsFor() throws {
    var seen = CommandModel.Seen()
    for seed in 0..<8 {
      var model = try CommandModel(seed: UInt64(1000 + seed))
      for _ in 0..<3000 { try model.step() }
      seen.add(model.seen)
    }
    #expect(seen.recycledRuns > 20)
    #expect(seen.interrupted > 20)
    #expect(seen.lateCopies > 20)
    #expect(seen.answeredAgain > 20)
  }
}

private struct CommandModel {
  struct Seen {
    var recycledRuns = 0
    var interrupted = 0
    var lateCopies = 0
    var answeredAgain = 0
    mutating func add(_ other: Seen) {
      recycledRuns += other.recycledRuns
      interrupted += other.interrupted
      lateCopies += other.lateCopies
      answeredAgain += other.answeredAgain
    }
  }

  /// A command of the server's, told apart by a number that is never used twice.
  struct Issued {
    let serial: Int
    let key: CommandKey
  }
  /// A command on the wire.
  struct Copy {
    let issued: Issued
    let openedAt: Duration
  }
  /// How far the gateway is with one.
  enum Stage {
    case new, started, executed, written
    case posting([UInt8])
  }

  private var generator: SplitMix
  private let scratch: CommandScratch
  private var now = Duration.seconds(1000)

  // The server.
  private var nextID: Int64 = 0
  private var pending: [Issued] = []
  private var issued = 0
  private var answers: [Int: [UInt8]] = [:]
  /// Answered by what belonged to an earlier command of the same number: the server's own confusion.
  private var confused: Set<Int> = []

  // The wire.
  private var polls: [Duration] = []
  private var copies: [Copy] = []

  // The gateway.
  private var file: CommandFile
  private var memory = CommandMemory()
  private var tasks: [(copy: Issued, stage: Stage)] = []
  private var executions: [Int: Int] = [:]
  /// Which command the gateway's entry for a key is about, and whether its reply was confirmed.
  private var known: [CommandKey: (serial: Int, isConfirmed: Bool)] = [:]
  private(set) var seen = Seen()

  init(seed: UInt64) throws {
    generator = SplitMix(seed: seed)
    scratch = try CommandScratch()
    file = CommandFile(path: scratch.file("commands"))
    #expect(file.load().finding == nil)
  }

  private static func reply(_ serial: Int) -> [UInt8] { Array("\(serial)".utf8) }

  mutating func step() throws {
    now += .milliseconds(Int64.random(in: 1...50, using: &generator))
    switch Int.random(in: 0..<1000, using: &generator) {
    case ..<150: if pending.count < 3 { issue() }
    case ..<350: if polls.count < 2 { polls.append(now) }
    case ..<550: deliverPending()
    case ..<600: try deliverCopy()
    case ..<960: try advance(loses: Int.random(in: 0..<4, using: &generator))
    case ..<975: try restartGateway()
    case ..<990: restartServer()
    default: pass(.seconds(Int64.random(in: 1...400, using: &generator)))
    }
    try takeDeliveries()
  }

  private var arrived: [Copy] = []

  private mutating func issue() {
    issued += 1
    // Two texts, so that a number often comes back with the same one.
    let key = CommandKey(id: nextID, fingerprint: UInt64.random(in: 0...1, using: &generator))
    nextID += 1
    pending.append(Issued(serial: issued, key: key))
  }

  /// The oldest pending one goes to a poll, and sometimes to the other as well.
  private mutating func deliverPending() {
    guard let first = pending.first, !polls.isEmpty else { return }
    arrived.append(Copy(issued: first, openedAt: polls.removeFirst()))
    if !polls.isEmpty, Bool.random(using: &generator) {
      copies.append(Copy(issued: first, openedAt: polls.removeFirst()))
    }
  }

  private mutating func deliverCopy() throws {
    guard !copies.isEmpty else { return }
    arrived.append(copies.removeFirst())
  }

  private mutating func takeDeliveries() throws {
    for copy in arrived { try receive(copy) }
    arrived = []
  }

  private mutating func receive(_ copy: Copy) throws {
    let (serial, key) = (copy.issued.serial, copy.issued.key)
    let before = known[key]
    switch memory.deliver(key, hasLastingEffect: true, pollOpenedAt: copy.openedAt, now: now) {
    case .run:
      if before != nil && before?.serial != serial { seen.recycledRuns += 1 }
      known[key] = (serial, false)
      tasks.append((copy.issued, .new))
    case .wait, .hasten:
      break
    case .answer(let reply):
      seen.answeredAgain += 1
      tasks.append((copy.issued, .posting(reply)))
    case .ignore:
      seen.lateCopies += 1
      return
    case .refuse:
      Issue.record("refused with \(memory.pending) pending")
    }
    // Taken for an earlier one: only where that was never confirmed can nobody tell.
    if let before, before.serial != serial, known[key]?.serial != serial {
      #expect(!before.isConfirmed, "command \(serial) was taken for \(before.serial), which was confirmed")
      confused.insert(serial)
    }
  }

  /// One task takes its next step.
  ///
  /// - Parameter fate: Of a reply: 0 it is lost, 1 its confirmation is lost, else all goes well.
  private mutating func advance(loses fate: Int) throws {
    guard let index = tasks.indices.randomElement(using: &generator) else { return }
    let (task, stage) = tasks[index]
    switch stage {
    case .new:
      try file.append(CommandRecord(kind: .started, key: task.key), isDurable: true)
      tasks[index].stage = .started
    case .started:
      executions[task.serial, default: 0] += 1
      tasks[index].stage = .executed
    case .executed:
      let reserved = memory.reserve(Self.reply(task.serial), for: task.key)
      let kept = try #require(reserved)
      try file.append(CommandRecord(kind: .finished, key: task.key, payload: kept), isDurable: true)
      tasks[index].stage = .written
    case .written:
      memory.finish(task.key, keeping: Self.reply(task.serial))
      tasks[index].stage = .posting(Self.reply(task.serial))
    case .posting(let reply):
      if fate == 0 { return giveUpSometimes(index) }
      serverTakes(reply, task)
      if fate == 1 { return giveUpSometimes(index) }
      memory.acknowledge(task.key, now: now)
      known[task.key]?.isConfirmed = true
      try file.append(CommandRecord(kind: .closed, key: task.key), isDurable: false)
      tasks.remove(at: index)
    }
  }

  private mutating func giveUpSometimes(_ index: Int) {
    guard Int.random(in: 0..<4, using: &generator) == 0 else { return }
    memory.giveUp(tasks[index].copy.key)
    tasks.remove(at: index)
  }

  /// The server knows a reply by its number alone.
  private mutating func serverTakes(_ reply: [UInt8], _ task: Issued) {
    guard let index = pending.firstIndex(where: { $0.key.id == task.key.id }) else { return }
    let answered = pending.remove(at: index)
    answers[answered.serial] = reply
    if answered.serial != task.serial { confused.insert(answered.serial) }
    if reply == CommandError.interrupted.reply { seen.interrupted += 1 }
  }

  private mutating func restartGateway() throws {
    tasks = []
    polls = []
    copies = []
    memory = CommandMemory()
    file = CommandFile(path: scratch.file("commands"))
    let recovery = file.load()
    #expect(recovery.finding == nil)
    memory.restore(recovery.replies, now: now)
    let kept = Set(recovery.replies.map(\.key))
    // Polls of the earlier life are gone, so nothing it had confirmed can come from one.
    known = known.filter { kept.contains($0.key) }
  }

  private mutating func restartServer() {
    pending = []
    nextID = 0
    polls = []
    copies = []
  }

  private mutating func pass(_ time: Duration) {
    now += time
    // No poll lives that long.
    if time > .seconds(30) {
      polls = []
      copies = []
    }
    for key in memory.expire(now: now) {
      known[key] = nil
      try? file.append(CommandRecord(kind: .closed, key: key), isDurable: false)
    }
  }

  /// All goes well from here on.
  mutating func settle() throws {
    for _ in 0..<2000 where !pending.isEmpty || !tasks.isEmpty {
      now += .milliseconds(10)
      if polls.isEmpty { polls.append(now) }
      // The desk would go on posting; here a redelivery does.
      if tasks.isEmpty { deliverPending() }
      try takeDeliveries()
      try advance(loses: 3)
    }
  }

  func check() {
    #expect(pending.isEmpty, "\(pending.count) commands were never answered")
    for (serial, count) in executions { #expect(count == 1, "command \(serial) ran \(count) times") }
    for (serial, reply) in answers where !confused.contains(serial) {
      if reply == CommandError.interrupted.reply { continue }
      #expect(reply == Self.reply(serial), "command \(serial) got \(String(decoding: reply, as: UTF8.self))")
      #expect(executions[serial] == 1, "command \(serial) was answered and did not run")
    }
    #expect(answers.count > 20)
  }
}
