import EventLoop
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// A server's side of shared attributes, in virtual time: each poll is a fresh subscription, all open ones are told of
/// each change and are over then, and what happens while none is open is told to nobody.
///
/// Source: contract.md §3.
private final class ModelAttributeServer {
  private let time: VirtualTime
  private var subscriptions: [(poll: Int, answer: (AttributeUpdate?) -> Void)] = []
  private(set) var values: [String: Int64] = [:]
  private(set) var changes = 0
  private(set) var changedAt = Duration.zero

  init(_ time: VirtualTime) { self.time = time }

  func poll(_ poll: Int, for timeout: Duration, answer: @escaping (AttributeUpdate?) -> Void) {
    subscriptions.append((poll, answer))
    time.after(timeout) { [self] in
      guard let index = subscriptions.firstIndex(where: { $0.poll == poll }) else { return }
      subscriptions.remove(at: index).answer(nil)
    }
  }

  func disconnected(_ poll: Int) { subscriptions.removeAll { $0.poll == poll } }

  func set(_ key: String, _ value: Int64?) {
    if values[key] == value { return }
    values[key] = value
    changes += 1
    changedAt = time.now
    let listening = subscriptions
    subscriptions = []
    let update =
      value.map { AttributeUpdate(changed: [.init(key, .integer($0))]) } ?? AttributeUpdate(deleted: [key])
    for subscription in listening { subscription.answer(update) }
  }

  var snapshot: [JSON.Member] { values.map { .init($0.key, .integer($0.value)) } }
}

@Suite struct SharedAttributesModelTests {
  struct Faults {
    /// In percent, how many polls break off, and how many readings fail.
    var breaking = 0
    /// Whether the network is away from time to time.
    var outages = false
    /// Whether what no poll tells is read at all.
    var rereads = true
  }

  struct Outcome {
    var server: [String: Int64]
    var values: [String: Int64]
    /// What somebody knows who only hears of changes.
    var reported: [String: Int64]
    /// Reports of what was known already.
    var repeated = 0
    var changes = 0
    var readings = 0
    /// How often something was not known though nothing had changed for many seconds.
    var late = 0
  }

  private static func run(seed: UInt64, _ faults: Faults) -> Outcome {
    var timing = PollTiming.standard
    timing.rereading = .seconds(1_000_000)
    let time = VirtualTime()
    let server = ModelAttributeServer(time)
    let (pollAlarm, readingAlarm) = (VirtualAlarm(time), VirtualAlarm(time))
    var generator = SplitMix(seed: seed)
    var schedule = PollSchedule(timing: timing)
    var rereads = RereadSchedule(timing: timing, every: timing.rereading)
    var table = SharedAttributeTable()
    var isAway = false
    var outcome = Outcome(server: [:], values: [:], reported: [:])
    let quiet = time.now + .seconds(1800)

    func tell(_ changes: [SharedAttributeChange]) {
      for change in changes {
        let value: Int64? = if case .integer(let value)? = change.value { value } else { nil }
        if outcome.reported[change.key] == value { outcome.repeated += 1 }
        outcome.reported[change.key] = value
      }
    }
    func change() {
      let key = ["a", "b", "c"][Int.random(in: 0...2, using: &generator)]
      server.set(key, generator.chance(25) ? nil : Int64.random(in: 0...1000, using: &generator))
    }
    func known() -> [String: Int64] {
      Dictionary(uniqueKeysWithValues: table.values.map { ($0.0, Int64($0.1.text) ?? -1) })
    }
    func breaks() -> Bool { time.now < quiet && (isAway || generator.chance(faults.breaking)) }
    func request(
      _ number: Int, for length: Duration, end: @escaping (Result<AttributeUpdate?, DeviceAPIError>) -> Void
    ) {
      var isOver = false
      func finish(_ result: Result<AttributeUpdate?, DeviceAPIError>) {
        if isOver { return }
        isOver = true
        end(result)
      }
      if breaks() {
        time.after(generator.duration(0...25_000)) {
          server.disconnected(number)
          finish(.failure(.broken))
        }
      }
      let back = generator.duration(1...450)
      time.after(generator.duration(1...450)) {
        server.poll(number, for: length) { update in time.after(back) { finish(.success(update)) } }
      }
    }
    func armReading() {
      guard faults.rereads || outcome.readings == 0 else { return }
      readingAlarm.arm(rereads.due) { read() }
    }
    func read() {
      guard rereads.begin(at: time.now) else { return armReading() }
      table.beginReading()
      outcome.readings += 1
      let fails = breaks()
      time.after(generator.duration(1...450)) {
        let snapshot = server.snapshot
        time.after(generator.duration(1...450)) {
          if fails {
            table.abandonReading()
            _ = rereads.failed(.overloaded, at: time.now, using: &generator)
          } else {
            rereads.succeeded(at: time.now)
            tell(table.finishReading(snapshot))
          }
          armReading()
        }
      }
    }
    func perform(_ actions: [PollSchedule.Action]) {
      for action in actions {
        switch action {
        case .open(let id, let length):
          rereads.pollOpened(at: time.now)
          // Changes in the instant a poll is on its way: one for the polls before it, one before it arrives.
          if time.now < quiet, generator.chance(15) {
            for _ in 0..<2 { time.after(generator.duration(0...500)) { change() } }
          }
          request(Int(id.number), for: length) { result in
            switch result {
            case .success(let update?):
              perform(schedule.answered(id, at: time.now))
              tell(table.apply(update))
              perform(schedule.delivered(id, at: time.now))
            case .success(nil): perform(schedule.ended(id, at: time.now))
            case .failure(let error): perform(schedule.failed(id, error, at: time.now, using: &generator))
            }
          }
        case .gap: rereads.gapAppeared(newestOpenedAt: schedule.newestOpenedAt, at: time.now)
        case .abandon(let id): server.disconnected(Int(id.number))
        case .failing, .report, .end: break
        }
      }
      pollAlarm.arm(schedule.due) { perform(schedule.timer(at: time.now)) }
      armReading()
    }

    // Changes alone and in bursts, of few keys, so that they meet.
    for burst in 0..<60 {
      let start = Duration.seconds(burst * 29) + generator.duration(0...5000)
      time.after(start + .seconds(20)) {
        if time.now > server.changedAt + .seconds(15), known() != server.values { outcome.late += 1 }
      }
      for _ in 0..<Int.random(in: 1...5, using: &generator) {
        time.after(start + generator.duration(0...1500)) { change() }
      }
    }
    if faults.outages {
      for _ in 0..<8 {
        let start = generator.duration(0...1_700_000)
        time.after(start) { isAway = true }
        time.after(start + generator.duration(0...90_000)) { isAway = false }
      }
    }
    rereads.start(at: time.now, first: time.now + timing.rereading)
    perform(schedule.start(at: time.now))
    // Longer than the longest pause after an error.
    time.run(until: quiet + .seconds(300))

    outcome.server = server.values
    outcome.values = known()
    outcome.changes = server.changes
    return outcome
  }

  @Test(arguments: 0..<40) func noChangeIsMissed(seed: UInt64) {
    let faults = Faults(breaking: seed % 2 == 0 ? 0 : 25, outages: seed % 4 > 1)
    let outcome = Self.run(seed: seed, faults)
    #expect(outcome.changes > 60)
    #expect(outcome.values == outcome.server)
    #expect(outcome.reported == outcome.server)
    #expect(outcome.repeated == 0)
    if faults.breaking == 0 && !faults.outages { #expect(outcome.late == 0) }
  }

  @Test func withoutReadingAgainChangesAreMissed() {
    let missed = (0..<20).filter { seed in
      let outcome = Self.run(seed: UInt64(seed), Faults(rereads: false))
      return outcome.values != outcome.server
    }
    #expect(!missed.isEmpty, "the model does not show what reading again is for")
  }

  @Test func readingAgainIsNotPolling() {
    let outcome = Self.run(seed: 1, Faults())
    #expect(outcome.readings <= outcome.changes + 10)
  }
}
