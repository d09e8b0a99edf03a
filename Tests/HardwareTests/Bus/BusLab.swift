import EventLoop
import Telemetry
import Testing

@testable import Hardware

/// A bus machine and its line in made-up time: what is sent is written at once, what is answered comes when it should.
struct BusLab {
  typealias Outcome = Result<[UInt8], BusFailure>

  static let start = Duration.seconds(1000)
  /// A character of 1 ms and a silence of 4 ms, to count with.
  static let timing = BusTiming(character: .milliseconds(1), silence: .milliseconds(4))

  var machine: BusMachine
  private(set) var now = BusLab.start
  /// In order; times since the start.
  private(set) var sent: [(bytes: [UInt8], at: Duration, regardless: Bool)] = []
  private(set) var ended: [(ticket: UInt64, outcome: Outcome, at: Duration)] = []
  private(set) var notices: [BusNotice] = []
  /// No answer is given up before that.
  var shortestTimeout = Duration.zero
  /// What comes after a frame was sent: when, from the computed end, and what.
  var units: ([UInt8]) -> [(after: Duration, bytes: [UInt8])] = { _ in [] }
  /// Whether the driver takes frames at once.
  var writes = true
  /// Whether something had just arrived when a frame was to be sent.
  var isDisturbed = false
  private(set) var later: [(at: Duration, event: BusMachine.Event)] = []
  private var lastTicket: UInt64 = 0
  var timing: BusTiming
  private(set) var timers = 0
  private var gap: Duration
  private var isOpen = false
  private var lastHeard = BusLab.start
  private var ownEnd = BusLab.start
  /// When the exchange under way may be over at the earliest, unless it ends before.
  private var busyUntil: Duration?

  init(_ options: BusOptions = BusOptions(), timing: BusTiming = BusLab.timing, opens: Bool = true) {
    machine = BusMachine(name: "bus", options: options)
    self.timing = timing
    gap = options.gap
    feed(.started)
    if opens { feed(.opened(timing)) }
  }

  var elapsed: Duration { now - Self.start }
  /// When frames were sent, and when questions ended.
  var times: [Duration] { sent.map(\.at) }
  var endTimes: [Duration] { ended.map(\.at) }

  mutating func feed(_ event: BusMachine.Event) {
    var events = [event]
    while !events.isEmpty {
      let event = events.removeFirst()
      switch event {
      case .bytes: lastHeard = now
      case .opened where !isOpen: (lastHeard, ownEnd, isOpen) = (now, now, true)
      case .lost, .stopped: isOpen = false
      case .writeFailed(let error) where error.code == .gone: isOpen = false
      case .options(let options): gap = options.gap
      default: break
      }
      for action in machine.handle(event, at: now) {
        switch action {
        case .send(let bytes, let regardless):
          checkSilence(regardless)
          if isDisturbed {
            events.append(.bytes([0xEE], at: CaptureTime(milliseconds: 0, boottime: 0)))
            if !regardless {
              events.append(.held)
              continue
            }
          }
          sent.append((bytes, elapsed, regardless))
          guard writes else { continue }
          events.append(.written(at: CaptureTime(milliseconds: 7, boottime: 7)))
          let end = now + timing.character * bytes.count
          (ownEnd, busyUntil) = (end, end + shortestTimeout)
          for (delay, answer) in units(bytes) { schedule(answer, at: end + delay) }
        case .finish(let ticket, let result):
          if !isRefusal(result) { busyUntil = nil }
          ended.append((ticket, result.map(\.bytes), elapsed))
        case .tell(let notice): notices.append(notice)
        }
      }
    }
  }

  /// What holds for every frame that is sent.
  private func checkSilence(_ regardless: Bool) {
    #expect(now >= ownEnd + timing.silence + gap, "sent into our own frame")
    #expect(regardless || now >= lastHeard + timing.silence + gap, "sent without silence")
    if let busyUntil { #expect(now >= busyUntil, "sent while an answer was awaited") }
  }

  private func isRefusal(_ result: Result<BusAnswer, BusFailure>) -> Bool {
    if case .failure(let failure) = result { failure.code == .setAside || failure.code == .busy } else { false }
  }

  private mutating func schedule(_ bytes: [UInt8], at time: Duration) {
    let index = later.firstIndex { $0.at > time } ?? later.endIndex
    later.insert((time, .bytes(bytes, at: CaptureTime(milliseconds: 0, boottime: 0))), at: index)
  }

  /// Bytes that come by themselves.
  mutating func hear(_ bytes: [UInt8], after delay: Duration) { schedule(bytes, at: now + delay) }

  @discardableResult
  mutating func submit(_ request: BusRequest, _ traffic: BusTraffic = .poll, timeout: Duration? = nil) -> UInt64 {
    lastTicket += 1
    feed(.submitted(BusMachine.Exchange(request, ticket: lastTicket, as: traffic, timeout: timeout)))
    return lastTicket
  }

  /// How a question is refused at once; `nil` where it is not.
  mutating func refusal(_ request: BusRequest, _ traffic: BusTraffic = .poll) -> BusFailure.Code? {
    let ticket = submit(request, traffic)
    return code(ticket)
  }

  @discardableResult
  mutating func write(_ bytes: [UInt8]) -> UInt64 {
    lastTicket += 1
    feed(.submitted(BusMachine.Exchange(plain: bytes, ticket: lastTicket)))
    return lastTicket
  }

  /// Lets time pass, with all that is due in it.
  mutating func pass(_ duration: Duration) {
    let end = now + duration
    var atOnce = 0
    while true {
      let due = [machine.deadline, later.first?.at].compactMap { $0 }.min()
      guard let due, due <= end, atOnce < 1000 else { break }
      atOnce = due > now ? 0 : atOnce + 1
      now = max(now, due)
      if let first = later.first, first.at <= now {
        later.removeFirst()
        feed(first.event)
      } else {
        timers += 1
        feed(.timer)
      }
    }
    #expect(atOnce < 1000, "the machine spins")
    now = end
  }

  func outcome(_ ticket: UInt64) -> Outcome? { ended.first { $0.ticket == ticket }?.outcome }

  func code(_ ticket: UInt64) -> BusFailure.Code? {
    if case .failure(let failure) = outcome(ticket) { failure.code } else { nil }
  }

  func message(_ ticket: UInt64) -> String? {
    if case .failure(let failure) = outcome(ticket) { failure.message } else { nil }
  }

  func endedAt(_ ticket: UInt64) -> Duration? { ended.first { $0.ticket == ticket }?.at }

  func status(_ unit: Int) -> BusUnitStatus? { machine.unitStatuses(at: now).first { $0.unit == unit } }

  /// Units that answer correctly after a time; the others do not.
  mutating func answering(_ delays: [Int: Duration]) {
    units = { question in
      guard question.count == 2, let delay = delays[Int(question[0])] else { return [] }
      return [(delay, Tiny.answer(Int(question[0]), question[1]))]
    }
  }
}

extension Duration {
  /// Milliseconds, for short expectations; several are added.
  static func ms(_ parts: Double...) -> Duration { .microseconds(Int64((parts.reduce(0, +) * 1000).rounded())) }
}
