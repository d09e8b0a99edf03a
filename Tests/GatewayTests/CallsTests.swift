import Configuration
import EventLoop
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct ClaimerTests {
  private struct Rig {
    let api = RuledAPI()
    let log = LogLines()
    let claimer: Claimer

    init(_ loop: EventLoop, _ options: ClaimOptions, _ pace: RetryPace) {
      claimer = Claimer(on: loop, api: api, options: options, server: "http://tb", log: log.logger, pace: pace)
    }
  }

  private static let secret = "CLAIM_SECRET_1"

  private static func onRig(
    atBoot: Bool = false, pace: RetryPace = CallRig.hasty, _ body: @escaping @Sendable (Rig) async throws -> Void
  ) throws {
    try CallRig.run { loop in
      var options = ClaimOptions()
      options.secret = Secret(secret)
      options.duration = .seconds(60)
      options.atBoot = atBoot
      let rig = Rig(loop, options, pace)
      try await body(rig)
      await rig.claimer.stop()
      #expect(!rig.log.text.contains(secret))
    }
  }

  @Test func onceForTheCommandLine() throws {
    try Self.onRig { rig in
      guard case .success(let words) = await rig.claimer.claim() else {
        Issue.record("the server took it")
        return
      }
      #expect(words.contains("http://tb") && words.contains("60 s") && !words.contains(Self.secret))
      #expect(rig.api.claims.first?.secret == Secret(Self.secret) && rig.api.claims.first?.duration == .seconds(60))
      #expect(await rig.claimer.lastClaim != nil)
      rig.api.onClaim = { () throws(DeviceAPIError) in throw .unknownToken }
      #expect(await rig.claimer.claim() == .failure(.unknownToken))
      #expect(rig.api.claims.count == 2, "no retry")
    }
  }

  @Test func atBootUntilItIsTaken() throws {
    try Self.onRig(atBoot: true) { rig in
      rig.api.onClaim = { [api = rig.api] () throws(DeviceAPIError) in
        if api.claimed.count < 4 { throw .down }
      }
      await rig.claimer.start()
      await rig.api.claimed.reaches(4)
      await CallRig.settle()
      #expect(rig.api.claims.count == 4)
      #expect(rig.log.count(of: "cannot be opened for claiming") == 1)
      #expect(rig.log.count(of: "has taken the claim request") == 1)
    }
  }

  @Test func notAtBootUnlessConfigured() throws {
    try Self.onRig { rig in
      await rig.claimer.start()
      await CallRig.settle()
      #expect(rig.api.claims.isEmpty)
    }
  }

  @Test func aTransportThatCannotEndsIt() throws {
    try Self.onRig(atBoot: true) { rig in
      rig.api.onClaim = { () throws(DeviceAPIError) in throw .unsupported }
      await rig.claimer.start()
      await rig.api.claimed.reaches(1)
      await CallRig.settle()
      #expect(rig.api.claims.count == 1)
      #expect(rig.log.count(of: "given up") == 1)
    }
  }

  @Test func aButtonThatBouncesClaimsOnce() throws {
    try Self.onRig { rig in
      for milliseconds in 0..<100 { await rig.claimer.buttonPressed(now: .seconds(100) + .milliseconds(milliseconds)) }
      await rig.api.claimed.reaches(1)
      await CallRig.settle()
      #expect(rig.api.claims.count == 1)
      await rig.claimer.buttonPressed(now: .seconds(100) + Claimer.pressInterval)
      await rig.api.claimed.reaches(2)
    }
  }

  @Test func aPressDoesNotWaitForTheNextTry() throws {
    try Self.onRig(atBoot: true, pace: CallRig.patient) { rig in
      rig.api.onClaim = { () throws(DeviceAPIError) in throw .down }
      await rig.claimer.start()
      await rig.api.claimed.reaches(1)
      await CallRig.settle()
      #expect(rig.log.count(of: "next try in") == 1)
      rig.api.onClaim = {}
      await rig.claimer.buttonPressed()
      await rig.api.claimed.reaches(2)
      await CallRig.settle()
      #expect(rig.log.count(of: "has taken the claim request") == 1)
      #expect(rig.api.claims.count == 2)
    }
  }

  @Test func aPressIsNotTriedForHours() throws {
    try Self.onRig(pace: CallRig.patient) { rig in
      rig.api.onClaim = { () throws(DeviceAPIError) in throw .down }
      await rig.claimer.buttonPressed()
      await rig.api.claimed.reaches(1)
      await CallRig.settle()
      #expect(rig.log.count(of: "given up") == 1)
    }
  }
}

@Suite struct CallAnswerTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var answer: String
    var paths: [String]
    var expected: [Value]
    var missing: [String]
    var error: String?
    init(
      _ description: String, _ answer: String, _ paths: [String], _ expected: [Value], missing: [String] = [],
      error: String? = nil
    ) {
      testDescription = description
      self.answer = answer
      self.paths = paths
      self.expected = expected
      self.missing = missing
      self.error = error
    }
  }

  static let rows = [
    Row("integer", #"{"a":7}"#, ["a"], [.long(7)]),
    Row("double as Java prints it", #"{"a":1.0E7}"#, ["a"], [.double(1e7)]),
    Row("truth value and text", #"{"a":true,"b":"x"}"#, ["a", "b"], [.bool(true), .string("x")]),
    Row("nested", #"{"wind":{"speed":3.5}}"#, ["wind.speed"], [.double(3.5)]),
    Row("object as a whole", #"{"wind":{"speed":3}}"#, ["wind"], [.json(.object([JSON.Member("speed", .integer(3))]))]),
    Row("array as a whole", #"{"a":[1]}"#, ["a"], [.json(.array([.integer(1)]))]),
    Row("element of an array", #"{"list":[{"t":1},{"t":2}]}"#, ["list.1.t"], [.long(2)]),
    Row(
      "beyond an array", #"{"list":[1]}"#, ["list.1", "list.-1", "list.x"], [],
      missing: ["list.1", "list.-1", "list.x"]),
    Row("null is no value", #"{"a":null,"b":1}"#, ["a", "b"], [.long(1)]),
    Row("missing", #"{"a":1}"#, ["a", "b", "a.c"], [.long(1)], missing: ["b", "a.c"]),
    Row("no object at all", "null", ["a"], [], missing: ["a"]),
    Row("an error", #"{"error":"no route"}"#, ["a"], [], error: #""\"no route\"""#),
    Row("a member named error that is asked for", #"{"error":5}"#, ["error"], [.long(5)]),
    Row("error: null is none", #"{"error":null,"a":1}"#, ["a"], [.long(1)]),
  ]

  @Test(arguments: rows) func picked(_ row: Row) throws {
    let values = try row.paths.map { path in
      (path: path.split(separator: ".").map(String.init), key: try Key(path))
    }
    let answer = CallAnswer(try JSON(parsing: Array(row.answer.utf8)), for: values)
    #expect(answer.readings.map(\.value) == row.expected)
    #expect(answer.missing == row.missing)
    #expect(answer.error.map { $0.replacing("\\\"", with: "\"") } == row.error.map { $0.replacing("\\\"", with: "\"") })
  }

  @Test func aLongErrorIsCut() {
    let answer = CallAnswer(.object([JSON.Member("error", .string(String(repeating: "x", count: 100_000)))]), for: [])
    #expect((answer.error?.utf8.count ?? 0) < 300 && answer.error != nil)
  }
}

@Suite struct ScheduledCallsTests {
  private static func call(
    _ name: String = "weather", interval: Duration = .milliseconds(1), path: [String] = ["t"]
  ) throws -> ScheduledCall {
    ScheduledCall(
      name: name, method: "get", params: .object([]), interval: interval, values: [(path, try Key(path.joined()))])
  }

  private final class Samples: @unchecked Sendable {
    var values: [[Value]] = []
  }

  private struct Rig {
    let api = RuledAPI()
    let log = LogLines()
    let samples = Samples()
    let calls: ScheduledCalls

    init(_ loop: EventLoop, _ list: [ScheduledCall], _ pace: RetryPace) {
      calls = ScheduledCalls(on: loop, api: api, calls: list, log: log.logger, pace: pace) { [samples] sample in
        samples.values.append(sample.readings.map(\.value))
      }
    }
  }

  private static func onRig(
    _ list: [ScheduledCall], pace: RetryPace = CallRig.hasty, _ body: @escaping @Sendable (Rig) async throws -> Void
  ) throws {
    try CallRig.run { loop in
      let rig = Rig(loop, list, pace)
      try await body(rig)
      await rig.calls.stop()
    }
  }

  @Test func answersBecomeSamples() throws {
    try Self.onRig([try Self.call()]) { rig in
      rig.api.onCall = { [api = rig.api] method, params in
        #expect(method == "get" && params == .object([]))
        return .object([JSON.Member("t", .integer(Int64(api.called.count)))])
      }
      try await rig.calls.start()
      await rig.api.called.reaches(4)
      #expect(rig.samples.values.prefix(3) == [[.long(1)], [.long(2)], [.long(3)]])
      #expect(await rig.calls.status[0].answers >= 3)
      await rig.calls.stop()
      let delivered = rig.samples.values.count
      await CallRig.settle()
      #expect(rig.samples.values.count == delivered)
    }
  }

  @Test func troubleIsToldOnceAndTheCallsGoOn() throws {
    try Self.onRig([try Self.call()]) { rig in
      rig.api.onCall = { [api = rig.api] _, _ throws(DeviceAPIError) in
        switch api.called.count {
        case 1...3: throw DeviceAPIError(.noAnswer, "gave no answer")
        case 4...6: return .object([JSON.Member("error", .string("no route"))])
        case 7...9: return .object([])
        default: return .object([JSON.Member("t", .double(1))])
        }
      }
      try await rig.calls.start()
      await rig.api.called.reaches(11)
      #expect(rig.log.count(of: "rpc.call.weather (get): the server gave no answer") == 1)
      #expect(rig.log.count(of: "no route") == 1)
      #expect(rig.log.count(of: "the answer has no t") == 1)
      #expect(rig.samples.values.first == [.double(1)])
      #expect(await rig.calls.status[0].errors == 9)
    }
  }

  @Test func aCallDoesNotOverlapItselfAndHoldsUpNoOther() throws {
    try Self.onRig([try Self.call("slow"), try Self.call("quick")]) { rig in
      let hang = Tally()
      let slow = Tally()
      let quick = Tally()
      rig.api.onCall = { _, _ in
        // The first of the two calls hangs.
        if slow.count == 0 {
          slow.add()
          await hang.reaches(1)
        } else {
          quick.add()
        }
        return .object([JSON.Member("t", .integer(1))])
      }
      try await rig.calls.start()
      await quick.reaches(20)
      let status = await rig.calls.status
      #expect(status.map(\.calls).min() == 1)
      hang.add()
    }
  }

  @Test func aTransportWithoutCallsEndsThem() throws {
    try Self.onRig([try Self.call()]) { rig in
      rig.api.onCall = { _, _ throws(DeviceAPIError) in throw .unsupported }
      try await rig.calls.start()
      await rig.api.called.reaches(1)
      await CallRig.settle()
      #expect(rig.api.called.count == 1)
      #expect(rig.log.count(of: "the call cannot be made and ends") == 1)
    }
  }

  @Test func anUnknownTokenIsNotAskedWithEveryMillisecond() throws {
    try Self.onRig([try Self.call()], pace: CallRig.patient) { rig in
      rig.api.onCall = { _, _ throws(DeviceAPIError) in throw .unknownToken }
      try await rig.calls.start()
      await rig.api.called.reaches(1)
      await CallRig.settle()
      #expect(rig.api.called.count == 1)
      #expect(rig.log.lines.map(\.level) == [.error])
    }
  }

  @Test(arguments: [
    (0, 10_000, 10_000), (1, 10_000, 9999), (9999, 10_000, 1), (10_000, 10_000, 10_000), (25_000, 10_000, 5000),
  ])
  func turnsMissedAreLeftOut(elapsed: Int, interval: Int, delay: Int) {
    #expect(
      ScheduledCalls.delay(after: .milliseconds(elapsed), interval: .milliseconds(interval)) == .milliseconds(delay))
  }
}
