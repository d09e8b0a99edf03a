import EventLoop
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

private func reading(_ name: String, _ value: Value) throws -> Reading { Reading(try Key(name), value) }

@Suite struct AttributeLedgerTests {
  private static func numbered(_ range: Range<Int>) throws -> [Reading] {
    try range.map { try reading("k\($0)", .long(Int64($0))) }
  }

  @Test func onlyWhatIsNotConfirmedIsSent() throws {
    var ledger = AttributeLedger()
    for one in try Self.numbered(0..<3) { #expect(ledger.want(one) == .accepted) }
    let first = try #require(ledger.nextPost())
    #expect(first.attributes.count == 3)
    // Changed while it was on its way.
    #expect(ledger.want(try reading("k1", .long(7))) == .accepted)
    ledger.confirm(first)
    #expect(ledger.nextPost()?.attributes == [try reading("k1", .long(7))])
    #expect(ledger.waiting == 1)
    #expect(ledger.want(try reading("k2", .long(2))) == .accepted)
    #expect(ledger.waiting == 1, "as it was")
  }

  @Test func aPostOfBeforeANewCredentialConfirmsNothing() throws {
    var ledger = AttributeLedger()
    for one in try Self.numbered(0..<2) { _ = ledger.want(one) }
    let post = try #require(ledger.nextPost())
    ledger.forget()
    ledger.confirm(post)
    #expect(ledger.waiting == 2)
    #expect(ledger.refuse(post, isTooLarge: false) == nil)
    #expect(ledger.nextPost()?.attributes.count == 2)
  }

  @Test func postsAreBoundedInKeysAndBytes() throws {
    var ledger = AttributeLedger()
    for one in try Self.numbered(0..<250) { _ = ledger.want(one) }
    let long = String(repeating: "x", count: AttributeLedger.bytesPerPost)
    _ = ledger.want(try reading("long", .string(long)))
    var sizes: [Int] = []
    while let post = ledger.nextPost() {
      sizes.append(post.attributes.count)
      var body: [UInt8] = []
      _ = appendValues(post.attributes, to: &body) { _, _ in }
      #expect(body.count <= AttributeLedger.bytesPerPost || post.attributes.count == 1)
      #expect(body.count <= post.bytes)
      ledger.confirm(post)
    }
    #expect(sizes == [100, 100, 50, 1])
  }

  @Test(arguments: [[0], [99], [57], [0, 1], [13, 14, 77], Array(20..<30)])
  func poisonIsFoundAndTheRestArrives(_ poison: [Int]) throws {
    var ledger = AttributeLedger()
    for one in try Self.numbered(0..<100) { _ = ledger.want(one) }
    var taken: Set<String> = []
    var givenUp: [String] = []
    var posts = 0
    let bad = Set(poison.map { "k\($0)" })
    while let post = ledger.nextPost(), posts < 500 {
      posts += 1
      let names = Set(post.attributes.map(\.key.name))
      if names.isDisjoint(with: bad) {
        taken.formUnion(names)
        ledger.confirm(post)
      } else if let culprit = ledger.refuse(post, isTooLarge: false) {
        givenUp.append(culprit.key.name)
      }
    }
    #expect(Set(givenUp) == bad && givenUp.count == bad.count)
    #expect(taken.count == 100 - bad.count)
    #expect(posts <= 20 * (poison.count + 1))
    // A new value is another chance.
    _ = ledger.want(try reading("k\(poison[0])", .bool(true)))
    #expect(ledger.nextPost()?.attributes == [try reading("k\(poison[0])", .bool(true))])
  }

  @Test func aBodyThatIsTooLargeIsHalvedForGood() throws {
    var ledger = AttributeLedger()
    for number in 0..<40 { _ = ledger.want(try reading("k\(number)", .string(String(repeating: "x", count: 500)))) }
    var refused = 0
    while let post = ledger.nextPost(), refused < 50 {
      if post.bytes > 6000 {
        refused += 1
        #expect(ledger.refuse(post, isTooLarge: true) == nil)
      } else {
        ledger.confirm(post)
      }
    }
    #expect(ledger.waiting == 0)
    #expect(refused <= 3)
  }

  @Test func whatTheServerWouldDamageIsNotWanted() throws {
    var ledger = AttributeLedger()
    #expect(ledger.want(try reading("nan", .double(.nan))) == .unsendable(.notANumber))
    for one in try Self.numbered(0..<AttributeLedger.keyLimit) { #expect(ledger.want(one) == .accepted) }
    #expect(ledger.want(try reading("one more", .bool(true))) == .tooMany)
    #expect(ledger.want(try reading("k1", .bool(true))) == .accepted)
    #expect(ledger.count == AttributeLedger.keyLimit)
  }
}

@Suite struct ClientAttributesTests {
  private struct Rig {
    let api = RuledAPI()
    let log = LogLines()
    let attributes: ClientAttributes

    init(_ loop: EventLoop, pace: RetryPace = CallRig.hasty) {
      attributes = ClientAttributes(on: loop, api: api, log: log.logger, window: .milliseconds(1), pace: pace)
    }
  }

  private static func onRig(
    pace: RetryPace = CallRig.hasty, _ body: @escaping @Sendable (Rig) async throws -> Void
  ) throws {
    try CallRig.run { loop in
      let rig = Rig(loop, pace: pace)
      try await body(rig)
      await rig.attributes.stop(within: .seconds(5))
    }
  }

  @Test func everythingAtTheStartThenWhatChanges() throws {
    try Self.onRig { rig in
      await rig.attributes.set([try reading("site", .string("north")), try reading("floor", .long(2))])
      try await rig.attributes.start()
      await rig.api.posted.reaches(1)
      await CallRig.settle()
      #expect(await rig.attributes.status.waiting == 0)
      await rig.attributes.set([try reading("site", .string("north")), try reading("floor", .long(3))])
      await rig.attributes.set([try reading("door", .bool(true)), try reading("floor", .long(4))])
      await rig.api.posted.reaches(2)
      #expect(
        rig.api.posts == [["site": .string("north"), "floor": .long(2)], ["floor": .long(4), "door": .bool(true)]])
    }
  }

  /// The levels outputs are left at are the last thing that changes.
  @Test func aStopSendsWhatWaits() throws {
    try Self.onRig { rig in
      try await rig.attributes.start()
      await rig.attributes.set([try reading("23", .bool(false))])
      await rig.attributes.stop(within: .seconds(5))
      #expect(rig.api.posts == [["23": .bool(false)]])
      await rig.attributes.set([try reading("23", .bool(true))])
      await CallRig.settle()
      #expect(rig.api.posts.count == 1, "nothing after it")
    }
  }

  @Test func aStopWaitsForNoServerThatHangsAndForNoRetry() throws {
    try CallRig.run { loop in
      let rig = Rig(loop, pace: CallRig.patient)
      rig.api.onAttributes = { _ throws(DeviceAPIError) in
        try? await loop.sleep(for: .seconds(3600))
        throw DeviceAPIError(.cancelled, "given up")
      }
      try await rig.attributes.start()
      await rig.attributes.set([try reading("23", .bool(false))])
      await rig.attributes.stop(within: .milliseconds(20))
      #expect(rig.api.posts.count == 1)
      let other = Rig(loop, pace: CallRig.patient)
      other.api.onAttributes = { _ throws(DeviceAPIError) in throw .down }
      try await other.attributes.start()
      await other.attributes.set([try reading("23", .bool(false))])
      await other.api.posted.reaches(1)
      await CallRig.settle()
      await other.attributes.stop(within: .seconds(20))
      #expect(other.api.posts.count == 1)
    }
  }

  @Test func nothingIsSentTwice() throws {
    try Self.onRig { rig in
      await rig.attributes.set([try reading("site", .string("north"))])
      try await rig.attributes.start()
      await rig.api.posted.reaches(1)
      await CallRig.settle()
      await rig.attributes.set([try reading("site", .string("north"))])
      await rig.attributes.set([try reading("floor", .long(1))])
      await rig.api.posted.reaches(2)
      #expect(rig.api.posts.last == ["floor": .long(1)])
    }
  }

  @Test func anOutageIsTriedAgainAndToldOnce() throws {
    try Self.onRig { rig in
      rig.api.onAttributes = { [api = rig.api] _ throws(DeviceAPIError) in
        if api.posted.count <= 5 { throw .down }
      }
      await rig.attributes.set([try reading("site", .string("north"))])
      try await rig.attributes.start()
      await rig.api.posted.reaches(6)
      await CallRig.settle()
      #expect(await rig.attributes.status.waiting == 0)
      #expect(await rig.attributes.status.lastError == nil)
      #expect(rig.log.count(of: "cannot be reached") == 1)
    }
  }

  @Test func duringAnOutageChangesDoNotHurryTheRetry() throws {
    try Self.onRig(pace: CallRig.patient) { rig in
      rig.api.onAttributes = { _ throws(DeviceAPIError) in throw .unknownToken }
      await rig.attributes.set([try reading("site", .string("north"))])
      try await rig.attributes.start()
      await rig.api.posted.reaches(1)
      await CallRig.settle()
      #expect(rig.log.lines.contains { $0.level == .error && $0.text.contains("does not know the token") })
      rig.api.onAttributes = { _ in }
      await rig.attributes.set([try reading("floor", .long(1))])
      await CallRig.settle()
      #expect(rig.api.posts.count == 1)
      // A new token does.
      await rig.attributes.resendAll()
      await rig.api.posted.reaches(2)
      #expect(rig.api.posts.last == ["site": .string("north"), "floor": .long(1)])
    }
  }

  @Test func aNewCredentialGetsEverythingAgain() throws {
    try Self.onRig { rig in
      await rig.attributes.set([try reading("site", .string("north")), try reading("floor", .long(1))])
      try await rig.attributes.start()
      await rig.api.posted.reaches(1)
      await CallRig.settle()
      await rig.attributes.resendAll()
      await rig.api.posted.reaches(2)
      #expect(rig.api.posts[0] == rig.api.posts[1])
    }
  }

  @Test func aBadAttributeCostsOnlyItself() throws {
    try Self.onRig { rig in
      rig.api.onAttributes = { posted throws(DeviceAPIError) in
        if posted.contains(where: { $0.key.name == "k5" }) { throw .poisoned }
      }
      let ledgered = try (0..<8).map { try reading("k\($0)", .long(Int64($0))) }
      await rig.attributes.set(ledgered)
      try await rig.attributes.start()
      while await rig.attributes.status.waiting > 0 { await Task.yield() }
      #expect(await rig.attributes.status.givenUp == 1)
      #expect(rig.log.count(of: "client attribute k5") == 1)
      let sent = rig.api.posts.filter { $0["k5"] == nil }.flatMap(\.keys)
      #expect(Set(sent) == ["k0", "k1", "k2", "k3", "k4", "k6", "k7"] && sent.count == 7)
    }
  }

  @Test func a413ForATinyBodyIsNoReasonToGiveUp() throws {
    try Self.onRig(pace: CallRig.patient) { rig in
      rig.api.onAttributes = { _ throws(DeviceAPIError) in throw DeviceAPIError(.tooLarge, "is full", status: 413) }
      await rig.attributes.set([try reading("site", .string("north"))])
      try await rig.attributes.start()
      await rig.api.posted.reaches(1)
      await CallRig.settle()
      #expect(await rig.attributes.status.waiting == 1)
      #expect(await rig.attributes.status.givenUp == 0)
    }
  }

  @Test func aTransportWithoutAttributesEndsItQuietly() throws {
    try Self.onRig { rig in
      rig.api.onAttributes = { _ throws(DeviceAPIError) in throw .unsupported }
      await rig.attributes.set([try reading("site", .string("north"))])
      try await rig.attributes.start()
      await rig.api.posted.reaches(1)
      await CallRig.settle()
      await rig.attributes.set([try reading("floor", .long(1))])
      await rig.attributes.resendAll()
      await CallRig.settle()
      #expect(rig.api.posts.count == 1)
      #expect(rig.log.lines.allSatisfy { $0.level < .info })
    }
  }

  @Test func notANumberIsNotSentAndToldOnce() throws {
    try Self.onRig { rig in
      await rig.attributes.set([try reading("bad", .double(.nan)), try reading("good", .double(1))])
      await rig.attributes.set([try reading("bad", .double(.nan))])
      try await rig.attributes.start()
      await rig.api.posted.reaches(1)
      await CallRig.settle()
      #expect(rig.api.posts == [["good": .double(1)]])
      #expect(rig.log.count(of: "client attribute bad") == 1)
    }
  }
}
