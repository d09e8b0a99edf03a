import EventLoop
import Testing
import ThingsBoard

@testable import Gateway

/// A server's side of server-side RPC, ghosts included, in virtual time.
///
/// Source: contract.md §4.
private final class ModelRPCServer {
  struct Command: Equatable {
    let number: Int
    let isOneWay: Bool
  }
  /// What a poll that is no longer open left behind has no `answer`.
  private struct Subscription {
    let poll: Int
    var answer: ((Command?) -> Void)?
  }

  private let time: VirtualTime
  private var subscriptions: [Subscription] = []
  private var pending: [Command] = []
  /// Called in the instant after a poll has ended without a command.
  var onGhost: () -> Void = {}

  init(_ time: VirtualTime) { self.time = time }

  func poll(_ poll: Int, for timeout: Duration, answer: @escaping (Command?) -> Void) {
    if let first = pending.first {
      if first.isOneWay { pending.removeFirst() }
      return answer(first)
    }
    subscriptions.append(Subscription(poll: poll, answer: answer))
    time.after(timeout) { [self] in
      guard let index = subscriptions.firstIndex(where: { $0.poll == poll }), let answer = subscriptions[index].answer
      else { return }
      subscriptions[index].answer = nil
      answer(nil)
      onGhost()
    }
  }

  /// The client's end is gone; nothing here knows.
  func disconnected(_ poll: Int) {
    if let index = subscriptions.firstIndex(where: { $0.poll == poll }) { subscriptions[index].answer = nil }
  }

  func send(_ command: Command) {
    let listening = subscriptions
    subscriptions = []
    if listening.isEmpty || !command.isOneWay { pending.append(command) }
    for subscription in listening { subscription.answer?(command) }
  }

  func reply(to number: Int) { pending.removeAll { $0.number == number } }
}

@Suite struct PollModelTests {
  enum Client { case overlapping, naive }

  struct Outcome {
    var sent: [Int] = []
    var received: Set<Int> = []
    var requests = 0
    var most = 0
  }

  /// Runs a client against the model with the network's delay both ways.
  ///
  /// - Parameters:
  ///   - breaking: In percent, how many polls break off on the way.
  ///   - oneWay: In percent, how many commands are one-way.
  private static func run(_ client: Client, seed: UInt64, breaking: Int = 0, oneWay: Int = 100) -> Outcome {
    let time = VirtualTime()
    let server = ModelRPCServer(time)
    let alarm = VirtualAlarm(time)
    var generator = SplitMix(seed: seed)
    var outcome = Outcome()
    var open = 0
    func send() {
      outcome.sent.append(outcome.sent.count)
      server.send(.init(number: outcome.sent.count - 1, isOneWay: generator.chance(oneWay)))
    }
    func request(
      _ number: Int, for length: Duration, end: @escaping (Result<ModelRPCServer.Command?, DeviceAPIError>) -> Void
    ) {
      outcome.requests += 1
      open += 1
      outcome.most = max(outcome.most, open)
      var isOver = false
      func finish(_ result: Result<ModelRPCServer.Command?, DeviceAPIError>) {
        if isOver { return }
        isOver = true
        open -= 1
        end(result)
      }
      let back = generator.duration(1...900)
      if generator.chance(breaking) {
        time.after(generator.duration(0...25_000)) {
          server.disconnected(number)
          finish(.failure(.broken))
        }
      }
      time.after(generator.duration(1...900)) {
        server.poll(number, for: length) { command in time.after(back) { finish(.success(command)) } }
      }
    }
    /// Carries a command out; the reply takes its way, too.
    func deliver(_ command: ModelRPCServer.Command, then: @escaping () -> Void) {
      outcome.received.insert(command.number)
      let work = generator.duration(0...3000)
      time.after(work + generator.duration(1...900)) { server.reply(to: command.number) }
      time.after(min(work, .seconds(1)), then)
    }

    // A command in the instant around a poll's end, and some at any time.
    server.onGhost = {
      guard time.now < .seconds(1000 + 3000), generator.chance(70) else { return }
      time.after(generator.duration(0...40)) { send() }
    }
    for _ in 0..<40 { time.after(generator.duration(0...3_000_000)) { send() } }

    var schedule = PollSchedule()
    func perform(_ actions: [PollSchedule.Action]) {
      for case .open(let id, let length) in actions {
        request(Int(id.number), for: length) { result in
          switch result {
          case .success(let command?):
            perform(schedule.answered(id, at: time.now))
            deliver(command) { perform(schedule.delivered(id, at: time.now)) }
          case .success(nil): perform(schedule.ended(id, at: time.now))
          case .failure(let error): perform(schedule.failed(id, error, at: time.now, using: &generator))
          }
        }
      }
      alarm.arm(schedule.due) { perform(schedule.timer(at: time.now)) }
    }
    func pollNaively(_ number: Int) {
      request(number, for: LongPoll.longest) { result in
        if case .success(let command?) = result {
          deliver(command) { pollNaively(number + 1) }
        } else {
          pollNaively(number + 1)
        }
      }
    }
    switch client {
    case .overlapping: perform(schedule.start(at: time.now))
    case .naive: pollNaively(1)
    }
    time.run(until: .seconds(1000 + 3600))
    return outcome
  }

  @Test(arguments: 0..<20) func noCommandFallsToAGhost(seed: UInt64) {
    let outcome = Self.run(.overlapping, seed: seed)
    #expect(outcome.sent.count > 40)
    #expect(outcome.received == Set(outcome.sent))
    #expect(outcome.most <= PollSchedule.mostOpen)
  }

  @Test func onePollAfterTheOtherLosesCommands() {
    for seed in 0..<5 {
      let outcome = Self.run(.naive, seed: UInt64(seed))
      #expect(outcome.received.count < outcome.sent.count, "the model does not show what overlapping is for")
    }
  }

  @Test(arguments: 0..<10) func noTwoWayCommandIsLostThoughPollsBreakOff(seed: UInt64) {
    let outcome = Self.run(.overlapping, seed: seed, breaking: 20, oneWay: 0)
    #expect(outcome.received == Set(outcome.sent))
    #expect(outcome.most <= PollSchedule.mostOpen)
  }

  @Test(arguments: 0..<5) func aPendingCommandIsAskedForOnceASecondAtMost(seed: UInt64) {
    let outcome = Self.run(.overlapping, seed: seed, oneWay: 0)
    // An hour of polls, and up to four more per command while it is carried out and its reply is on its way.
    #expect(outcome.requests < 3600 / 20 + outcome.sent.count * 8, "\(outcome.requests) for \(outcome.sent.count)")
  }
}
