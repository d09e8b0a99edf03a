import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// Each test is one sentence of contract.md §4, "What a client owes".
@Suite struct CommandMemoryTests {
  private static let reply = Array(#"{"ok":true}"#.utf8)
  private static let key = CommandKey(id: 7, fingerprint: 1)

  /// A memory in which `key` has run and its reply is on its way.
  private static func finished(at now: Duration = .seconds(10), lasting: Bool = true) -> CommandMemory {
    var memory = CommandMemory()
    #expect(memory.deliver(key, hasLastingEffect: lasting, pollOpenedAt: .seconds(9), now: now) == .run)
    memory.finish(key, keeping: memory.reserve(reply, for: key))
    return memory
  }

  private static func deliver(
    _ memory: inout CommandMemory, opened: Duration = .seconds(10), now: Duration = .seconds(11)
  ) -> CommandMemory.Delivery {
    memory.deliver(key, hasLastingEffect: true, pollOpenedAt: opened, now: now)
  }

  @Test func aRedeliveryOfOneThatRunsWaits() {
    var memory = CommandMemory()
    #expect(Self.deliver(&memory) == .run)
    #expect(Self.deliver(&memory) == .wait)
  }

  @Test func aRedeliveryOfAFinishedOneIsAnsweredAgain() {
    var memory = Self.finished()
    #expect(Self.deliver(&memory) == .hasten)
    memory.giveUp(Self.key)
    #expect(Self.deliver(&memory) == .answer(Self.reply))
    #expect(Self.deliver(&memory) == .hasten)
  }

  @Test func aPollOpenedBeforeTheConfirmationBringsADuplicateAndOneOpenedAfterANewCommand() {
    var memory = Self.finished()
    memory.acknowledge(Self.key, now: .seconds(20))
    #expect(memory.pending == 0)
    #expect(Self.deliver(&memory, opened: .seconds(19), now: .seconds(21)) == .ignore)
    #expect(Self.deliver(&memory, opened: .seconds(20), now: .seconds(21)) == .ignore)
    #expect(Self.deliver(&memory, opened: .seconds(20) + .nanoseconds(1), now: .seconds(21)) == .run)
    #expect(memory.pending == 1)
  }

  @Test func aConfirmedOneIsForgottenAfterTenMinutes() {
    var memory = Self.finished()
    memory.acknowledge(Self.key, now: .seconds(20))
    #expect(memory.expire(now: .seconds(619)) == [])
    #expect(!memory.isEmpty)
    #expect(memory.nextExpiry(now: .seconds(619)) == .seconds(620))
    #expect(memory.expire(now: .seconds(620)) == [])
    #expect(memory.isEmpty)
    #expect(memory.nextExpiry(now: .seconds(620)) == nil)
  }

  @Test func anUnansweredOneIsForgottenTenMinutesAfterItsLastDelivery() {
    var memory = Self.finished()
    memory.giveUp(Self.key)
    guard case .answer = Self.deliver(&memory, now: .seconds(500)) else {
      Issue.record("not answered")
      return
    }
    // Not while its reply is being posted.
    #expect(memory.expire(now: .seconds(5000)) == [])
    memory.giveUp(Self.key)
    #expect(memory.expire(now: .seconds(1099)) == [])
    #expect(memory.expire(now: .seconds(1100)) == [Self.key])
    #expect(memory.isEmpty && memory.pending == 0 && memory.replyBytes == 0)
  }

  @Test func oneThatRunsIsNeverForgotten() {
    var memory = CommandMemory()
    #expect(Self.deliver(&memory) == .run)
    #expect(memory.expire(now: .seconds(100_000)) == [])
    #expect(Self.deliver(&memory, now: .seconds(100_000)) == .wait)
  }

  @Test func whatARestartCutOffIsAnsweredWithInterruptedAndWhatItHadFinishedWithTheStoredReply() {
    var memory = CommandMemory()
    let other = CommandKey(id: 8, fingerprint: 1)
    memory.restore([(Self.key, nil), (other, Self.reply)], now: .seconds(1))
    #expect(Self.deliver(&memory) == .answer(CommandError.interrupted.reply))
    #expect(
      memory.deliver(other, hasLastingEffect: true, pollOpenedAt: .seconds(9), now: .seconds(9)) == .answer(Self.reply))
  }

  @Test func theTenMinutesStartAnewAtARestart() {
    var memory = CommandMemory()
    memory.restore([(Self.key, nil)], now: .seconds(1000))
    #expect(memory.expire(now: .seconds(1599)) == [])
    #expect(memory.expire(now: .seconds(1600)) == [Self.key])
  }

  @Test func aFullMemoryRefusesAndConfirmationsMakeRoom() {
    var memory = CommandMemory()
    let keys = (0..<Int64(CommandMemory.pendingLimit)).map { CommandKey(id: $0, fingerprint: 2) }
    for key in keys {
      #expect(memory.deliver(key, hasLastingEffect: true, pollOpenedAt: .zero, now: .zero) == .run)
    }
    #expect(Self.deliver(&memory) == .refuse)
    // Known ones are still known.
    #expect(memory.deliver(keys[3], hasLastingEffect: true, pollOpenedAt: .zero, now: .zero) == .wait)
    memory.finish(keys[3], keeping: memory.reserve(Self.reply, for: keys[3]))
    #expect(Self.deliver(&memory) == .refuse)
    memory.acknowledge(keys[3], now: .seconds(1))
    #expect(Self.deliver(&memory) == .run)
  }

  @Test func confirmedOnesAreBoundedAndTheOldestGoesFirst() {
    var memory = CommandMemory()
    for id in 0...Int64(CommandMemory.acknowledgedLimit) {
      let key = CommandKey(id: id, fingerprint: 2)
      #expect(memory.deliver(key, hasLastingEffect: true, pollOpenedAt: .zero, now: .seconds(id)) == .run)
      memory.finish(key, keeping: memory.reserve(Self.reply, for: key))
      memory.acknowledge(key, now: .seconds(id))
    }
    // As old as it is, no poll of that time is open any more: it counts as new.
    let first = memory.deliver(
      CommandKey(id: 0, fingerprint: 2), hasLastingEffect: true, pollOpenedAt: .zero, now: .seconds(5000))
    #expect(first == .run)
    let second = memory.deliver(
      CommandKey(id: 1, fingerprint: 2), hasLastingEffect: true, pollOpenedAt: .zero, now: .seconds(5000))
    #expect(second == .ignore)
  }

  @Test func aReplyTooLargeToKeepIsReplacedOrAskedForAnew() {
    let large = [UInt8](repeating: 0x20, count: CommandMemory.replySizeLimit + 1)
    var memory = CommandMemory()
    #expect(Self.deliver(&memory) == .run)
    #expect(memory.reserve(large, for: Self.key) == CommandError.replyNotKept.reply)
    // Reading again does no harm.
    var reading = CommandMemory()
    #expect(reading.deliver(Self.key, hasLastingEffect: false, pollOpenedAt: .zero, now: .zero) == .run)
    let kept = reading.reserve(large, for: Self.key)
    #expect(kept == nil)
    reading.finish(Self.key, keeping: kept)
    reading.giveUp(Self.key)
    #expect(reading.deliver(Self.key, hasLastingEffect: false, pollOpenedAt: .zero, now: .zero) == .run)
  }

  @Test func allRepliesTogetherAreBounded() {
    var memory = CommandMemory()
    let half = [UInt8](repeating: 0x20, count: CommandMemory.replySizeLimit)
    var short = 0
    for id in 0..<Int64(10) {
      let key = CommandKey(id: id, fingerprint: 3)
      #expect(memory.deliver(key, hasLastingEffect: true, pollOpenedAt: .zero, now: .zero) == .run)
      if memory.reserve(half, for: key) != half { short += 1 }
    }
    #expect(short == 10 - CommandMemory.replyBytesLimit / CommandMemory.replySizeLimit)
  }

  @Test func fingerprintsMatchThePublishedVectorAndTellKindsApart() throws {
    var vector = Fingerprint()
    for byte in "foobar".utf8 { vector.combine(byte: byte) }
    #expect(vector.value == 0x8594_4171_F739_67E8)
    let texts = [
      "1", "1.0", "\"1\"", "true", "null", "[]", "{}", "[1]", "[[1]]", "[1,1]", #"{"a":1}"#, #"{"a":"1"}"#,
      #"{"a":{"b":1}}"#, #"[{"a":1},1]"#, #"{"ab":"c"}"#, #"{"a":"bc"}"#,
    ]
    #expect(Set(try texts.map { CommandKey(try command(1, "m", $0)) }).count == texts.count)
    #expect(CommandKey(try command(1, "ab", "\"c\"")) != CommandKey(try command(1, "a", "\"bc\"")))
    #expect(CommandKey(try command(1, "m", "1")) != CommandKey(try command(2, "m", "1")))
    #expect(CommandKey(try command(1, "m", #"{"a":1.5}"#)) == CommandKey(try command(1, "m", #" {"a" : 15e-1}"#)))
  }
}
