import Testing
import ThingsBoard

@testable import Gateway

/// The machine against a server that is a rule: which records it takes and how it fails otherwise.
@Suite struct UplinkStateMachineTests {
  /// Runs until the queue is empty or `limit` requests were made.
  ///
  /// - Parameter answer: The server's verdict over the records of one request.
  /// - Returns: What became of the records, in order.
  static func run(
    records: [Int], maxRecords: Int = 500, limit: Int = 2000, bytesEach: Int = 10,
    answer: ([Int]) -> DeviceAPIError?
  ) -> (delivered: [Int], parked: [Int], requests: [[Int]], left: [Int]) {
    var machine = UplinkStateMachine(maxRecords: maxRecords, maxBytes: 100_000)
    var generator = SplitMix(seed: 7)
    var queue = records[...]
    var delivered: [Int] = []
    var parked: [Int] = []
    var requests: [[Int]] = []
    while !queue.isEmpty, requests.count < limit {
      let request = machine.nextRequest()
      let wanted = min(request.records, max(1, request.bytes / bytesEach))
      let batch = request.isProbe ? Array(queue.dropFirst().prefix(1)) : Array(queue.prefix(wanted))
      guard !batch.isEmpty else {
        _ = machine.probeHadNothingToSend(using: &generator)
        requests.append([])
        continue
      }
      requests.append(batch)
      let action =
        if let error = answer(batch) {
          machine.failed(error, request, records: batch.count, bytes: batch.count * bytesEach, using: &generator)
        } else {
          machine.succeeded(request, records: batch.count)
        }
      switch action {
      case .acknowledge:
        delivered += batch
        queue = queue.dropFirst(batch.count)
      case .park:
        if let record = queue.popFirst() { parked.append(record) }
        _ = machine.parked(using: &generator)
      case .again, .wait: break
      }
    }
    return (delivered, parked, requests, Array(queue))
  }

  @Test(arguments: [[0], [499], [250], [0, 1], [17, 18, 400], Array(100..<120)])
  func poisonIsParkedAndEverythingElseDelivered(poison: [Int]) {
    let bad = Set(poison)
    let all = Array(0..<500)
    let result = Self.run(records: all) { batch in
      batch.contains(where: bad.contains) ? DeviceAPIError(.poison, "Can't parse value", status: 500) : nil
    }
    #expect(result.parked == poison)
    #expect(result.delivered == all.filter { !bad.contains($0) })
  }

  @Test func onePoisonedRecordCostsAboutTwiceTheLogarithm() {
    let result = Self.run(records: Array(0..<500)) { batch in
      batch.contains(333) ? DeviceAPIError(.poison, "no") : nil
    }
    #expect(result.requests.count <= 22)
  }

  @Test func aLimitOfTheServersIsFoundAndRemembered() {
    let result = Self.run(records: Array(0..<500)) { batch in
      batch.count > 60 ? DeviceAPIError(.tooLarge, "413", status: 413) : nil
    }
    #expect(result.delivered == Array(0..<500))
    let refused = result.requests.filter { $0.count > 60 }.count
    #expect(refused <= 5, "asked again above a limit it knew: \(result.requests.map(\.count))")
  }

  @Test func aSingleRecordTooLargeForTheServerIsParked() {
    let result = Self.run(records: [1, 2, 3], maxRecords: 1, bytesEach: 2_000_000) { batch in
      batch == [2] ? DeviceAPIError(.tooLarge, "413", status: 413) : nil
    }
    #expect(result.parked == [2])
    #expect(result.delivered == [1, 3])
  }

  @Test func aProxyThatFindsEverythingTooLargeIsNotAskedWithoutPauseAndNothingIsParked() {
    var machine = UplinkStateMachine(maxRecords: 500, maxBytes: 100_000)
    var generator = SplitMix(seed: 9)
    var withoutPause = 0
    for _ in 0..<100 {
      let request = machine.nextRequest()
      let records = min(request.records, max(1, request.bytes / 40))
      let error = DeviceAPIError(.tooLarge, "413", status: 413)
      switch machine.failed(error, request, records: records, bytes: records * 40, using: &generator) {
      case .wait: withoutPause = 0
      case .again: withoutPause += 1
      case .acknowledge, .park: Issue.record("gave a record up")
      }
      #expect(withoutPause < 16)
    }
  }

  @Test func anEmpty500OfOneRecordIsProvenBeforeItIsGivenUp() {
    let result = Self.run(records: Array(0..<40)) { batch in
      batch.contains(5) ? DeviceAPIError(.serverError, "500", status: 500) : nil
    }
    #expect(result.parked == [5])
    #expect(result.delivered == Array(0..<40).filter { $0 != 5 })
    #expect(result.requests.filter { $0 == [6] }.count >= UplinkStateMachine.proofs)
  }

  @Test func anEmpty500ForEverythingParksNothing() {
    let result = Self.run(records: Array(0..<40), limit: 500) { _ in DeviceAPIError(.serverError, "500", status: 500) }
    #expect(result.parked.isEmpty && result.delivered.isEmpty)
    #expect(result.left == Array(0..<40))
  }

  @Test func aRateLimitThatLetsEverySecondRequestThroughLosesNothing() {
    var turn = 0
    let result = Self.run(records: Array(0..<300), maxRecords: 10) { _ in
      turn += 1
      return turn % 2 == 0 ? nil : DeviceAPIError(.serverError, "500", status: 500)
    }
    #expect(result.parked.isEmpty)
    #expect(result.delivered == Array(0..<300))
  }

  static let kept: [DeviceAPIError.Code] = [
    .unavailable, .unreachable, .unauthorized, .deviceDeleted, .notFound, .redirected, .notThingsBoard, .certificate,
    .noAnswer, .unsupported, .cancelled,
  ]
  @Test(arguments: kept) func nothingIsGivenUpWhereTheRecordsAreNotAtFault(code: DeviceAPIError.Code) {
    let result = Self.run(records: Array(0..<10), limit: 200) { _ in DeviceAPIError(code, "…") }
    #expect(result.left == Array(0..<10))
  }

  @Test func delaysStayWithinTheirBoundsAndRetryAfterIsHonoured() {
    var machine = UplinkStateMachine(maxRecords: 500, maxBytes: 1000)
    var generator = SplitMix(seed: 3)
    let request = machine.nextRequest()
    for _ in 0..<50 {
      let action = machine.failed(
        DeviceAPIError(.unavailable, "503", status: 503), request, records: 1, bytes: 1, using: &generator)
      guard case .wait(let delay) = action else {
        Issue.record("\(action)")
        return
      }
      #expect(delay <= .seconds(60) && delay >= .zero)
    }
    let asked = DeviceAPIError(.unavailable, "429", status: 429, retryAfter: .seconds(120))
    #expect(machine.failed(asked, request, records: 1, bytes: 1, using: &generator) == .wait(.seconds(120)))
    let absurd = DeviceAPIError(.unavailable, "429", status: 429, retryAfter: .seconds(86_400))
    #expect(
      machine.failed(absurd, request, records: 1, bytes: 1, using: &generator)
        == .wait(UplinkStateMachine.retryAfterLimit))
  }

  @Test func aRunOfParkedRecordsSlowsDown() {
    var machine = UplinkStateMachine(maxRecords: 1, maxBytes: 1000)
    var generator = SplitMix(seed: 5)
    var waits = 0
    for _ in 0..<UplinkStateMachine.parkBurst + 3 {
      _ = machine.failed(
        DeviceAPIError(.poison, "no"), machine.nextRequest(), records: 1, bytes: 10, using: &generator)
      if case .wait = machine.parked(using: &generator) { waits += 1 }
    }
    #expect(waits == 3)
  }
}

/// A seeded generator, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
