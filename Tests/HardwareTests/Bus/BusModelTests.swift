import EventLoop
import Telemetry
import Testing

@testable import Hardware

/// A repeatable sequence: SplitMix64.
struct BusRandom: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Whatever happens in whatever order: each question ends once, no frame meets another, nothing waits for ever.
@Suite struct BusModelTests {
  /// A line with units of all kinds.
  static func line(_ seed: UInt64) -> ([UInt8]) -> [(after: Duration, bytes: [UInt8])] {
    var random = BusRandom(state: seed)
    return { question in
      guard question.count == 2, question[0] != 0 else { return [] }
      let answer = Tiny.answer(Int(question[0]), question[1])
      let delay = Duration.milliseconds(Int.random(in: 0...60, using: &random))
      switch question[0] {
      case 1, 2: return [(delay, answer)]
      // In pieces, behind an echo.
      case 3:
        return [(.zero, question)] + answer.enumerated().map { (delay + .ms(Double($0.offset) * 17), [$0.element]) }
      // Every other time.
      case 4: return Bool.random(using: &random) ? [(delay, answer)] : []
      // Too late.
      case 5: return [(delay + .ms(280), answer)]
      // Damaged now and then.
      case 6: return [(delay, Int.random(in: 0..<4, using: &random) == 0 ? [0xA5, 6, 0, 0, 0, 0] : answer)]
      default: return []
      }
    }
  }

  @Test(arguments: 0..<40) func eachQuestionEndsOnceAndNoFrameMeetsAnother(seed: Int) {
    var random = BusRandom(state: UInt64(seed))
    var options = BusOptions()
    options.gap = .milliseconds([0, 0, 3, 200][seed % 4])
    options.retries = seed % 3
    var lab = BusLab(options)
    lab.shortestTimeout = .ms(300)
    lab.units = Self.line(UInt64(seed))
    var tickets: [UInt64] = []
    for step in 0..<1500 {
      switch Int.random(in: 0..<100, using: &random) {
      case 0: lab.feed(.lost("gone"))
      case 1...4: lab.feed(.opened(lab.timing))
      case 5: lab.hear([UInt8](repeating: 0xA5, count: .random(in: 1...40, using: &random)), after: .zero)
      case 6: lab.isDisturbed = Int.random(in: 0..<3, using: &random) == 0
      case 7: tickets.append(lab.write([1, 2, 3]))
      case 8: tickets.append(lab.submit(Tiny.broadcast(1), .command))
      case 9...14: tickets.append(lab.submit(Tiny.question(.random(in: 1...9, using: &random)), .command))
      case 15:
        // Strays that no driver should send.
        let strays: [BusMachine.Event] = [
          .timer, .held, .written(at: .now()), .started, .writeFailed(PortError(code: .timedOut, message: "stuck")),
        ]
        lab.feed(strays[Int.random(in: 0..<strays.count, using: &random)])
      case 16...50:
        tickets.append(lab.submit(Tiny.question(.random(in: 1...9, using: &random), UInt8(step & 0x7F))))
      default: lab.pass(.milliseconds(Int.random(in: 0...120, using: &random)))
      }
    }
    lab.isDisturbed = false
    lab.feed(.opened(lab.timing))
    lab.pass(.seconds(600))
    #expect(lab.machine.waiting == 0)
    #expect(lab.machine.deadline == nil, "an idle bus waits for nothing")
    #expect(lab.ended.count == tickets.count)
    #expect(Set(lab.ended.map(\.ticket)) == Set(tickets))
  }

  @Test(arguments: 0..<10) func answersBelongToTheirQuestions(seed: Int) {
    var random = BusRandom(state: UInt64(seed))
    var lab = BusLab()
    lab.units = Self.line(UInt64(seed))
    var expected: [UInt64: [UInt8]] = [:]
    for step in 0..<600 {
      let unit = Int.random(in: 1...7, using: &random)
      let tag = UInt8(step % 128)
      expected[lab.submit(Tiny.question(unit, tag), Bool.random(using: &random) ? .poll : .command)] = [
        UInt8(unit), tag,
      ]
      lab.pass(.milliseconds(Int.random(in: 0...300, using: &random)))
    }
    lab.pass(.seconds(600))
    var answers = 0
    for (ticket, outcome, _) in lab.ended {
      guard case .success(let bytes) = outcome else { continue }
      answers += 1
      #expect(bytes == expected[ticket])
    }
    #expect(answers > 300)
  }

  /// What `make fuzz` may call too.
  @Test func randomBytesDoNoHarm() {
    var random = BusRandom(state: 99)
    for _ in 0..<300 {
      fuzzBus((0..<Int.random(in: 0...400, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
  }
}

/// Lets random bytes be a bus's life: what is asked, what comes, when, and what the driver does. Ends by itself; traps
/// only on a mistake of ours.
func fuzzBus(_ data: [UInt8]) {
  var rest = data[...]
  func take() -> Int { Int(rest.popFirst() ?? 0) }
  var options = BusOptions()
  options.retries = take() % 3
  options.gap = .milliseconds(take() % 8)
  var machine = BusMachine(name: "bus", options: options)
  var now = Duration.seconds(1)
  var (open, ended): (Set<UInt64>, Int) = ([], 0)
  var ticket: UInt64 = 0
  var events: [BusMachine.Event] = [.started, .opened(BusTiming(SerialOptions(path: "p", baud: 115_200)))]
  func handle(_ event: BusMachine.Event) {
    var queue = [event]
    while !queue.isEmpty {
      for action in machine.handle(queue.removeFirst(), at: now) {
        switch action {
        case .send(_, let regardless):
          switch take() % 16 {
          case 1 where !regardless: queue += [.bytes([0xA5], at: .now()), .held]
          case 2: queue.append(.writeFailed(PortError(code: .gone, message: "gone")))
          default: queue.append(.written(at: .now()))
          }
        case .finish(let ticket, _):
          precondition(open.remove(ticket) != nil, "ended twice")
          ended += 1
        case .tell: break
        }
      }
    }
  }
  for event in events { handle(event) }
  while !rest.isEmpty {
    now += .microseconds(take() * 500)
    switch take() % 8 {
    case 0, 1, 2:
      ticket += 1
      open.insert(ticket)
      let unit = take() % 4
      let request = unit == 0 ? Tiny.broadcast(1) : Tiny.question(unit)
      events = [.submitted(.init(request, ticket: ticket, as: take() % 2 == 0 ? .poll : .command, timeout: nil))]
    case 3:
      let count = take() % 32
      events = [.bytes(Array(rest.prefix(count)), at: .now())]
      rest = rest.dropFirst(count)
    case 4: events = [.bytes(Tiny.answer(take() % 4, 1), at: .now())]
    case 5: events = [take() % 8 == 0 ? .lost("gone") : .opened(BusTiming(SerialOptions(path: "p")))]
    default:
      now = max(now, machine.deadline ?? now)
      events = [.timer]
    }
    for event in events { handle(event) }
    precondition(machine.waiting <= BusMachine.commandLimit + BusMachine.pollLimit)
  }
  handle(.stopped)
  precondition(open.isEmpty && machine.deadline == nil, "something still waits")
}
