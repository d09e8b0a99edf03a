import EventLoop
import Testing
import ThingsBoard

@testable import Gateway

/// The machine step by step, and against a server and a disk while power is cut at every point.
@Suite struct ProvisioningStateMachineTests {
  typealias Machine = ProvisioningStateMachine

  private static let server = "http://tb"
  private static let own = StoredToken(token: Secret("own-token-own-token-1"), device: "pi", server: server)
  private static let other = StoredToken(token: Secret("other-token-other-t-1"), device: "pi", server: server)
  private static let inUse = StoredToken(token: Secret("in-use-in-use-in-use1"), device: "pi", server: server)

  /// One step: what happens, and what the machine then wants.
  struct Step: Sendable {
    var event: Machine.Event
    var action: Machine.Action
    init(_ event: Machine.Event, _ action: Machine.Action) {
      self.event = event
      self.action = action
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var mode: Machine.Mode
    var steps: [Step]
    init(_ description: String, mode: Machine.Mode = .forever, _ steps: [Step]) {
      testDescription = description
      self.mode = mode
      self.steps = steps
    }
  }

  /// Delays without jitter, so that a row can name them.
  private static let pace = RetryPace(
    quick: Backoff(first: .seconds(1), most: .seconds(60), jitter: .none),
    slow: Backoff(first: .seconds(30), most: .seconds(300), jitter: .none))

  private static let prepared = Step(
    .prepared(device: "pi", token: own.token), .save(StoredCredentials(pending: own)))
  private static let asked: [Step] = [
    Step(.loaded(StoredCredentials()), .prepare), prepared, Step(.saved, .ask(own)),
  ]
  private static let down = ProvisioningTrouble.request(.down)
  private static let full = CredentialFileError(.unwritable, "full")
  private static let closed = CredentialFileError(.unreadable, "closed")
  private static let portal = DeviceAPIError(.notThingsBoard, "is a portal")

  static let rows = [
    Row(
      "granted: used at once, without asking",
      [Step(.loaded(StoredCredentials(current: inUse)), .done(inUse, unwritten: nil))]),
    Row(
      "a first start",
      asked + [
        Step(.answered(.success(own.token)), .save(StoredCredentials(current: own))),
        Step(.saved, .done(own, unwritten: nil)),
      ]),
    Row(
      "check pre-provisioned: the server's own token counts",
      asked + [
        Step(.answered(.success(other.token)), .save(StoredCredentials(current: other))),
        Step(.saved, .done(other, unwritten: nil)),
      ]),
    Row(
      "killed after the server's answer: proved, not asked again",
      [
        Step(.loaded(StoredCredentials(pending: own)), .prove(own)),
        Step(.proved(isKnown: true), .save(StoredCredentials(current: own))),
        Step(.saved, .done(own, unwritten: nil)),
      ]),
    Row(
      "killed before the request: the same token, made durable anew, asked with",
      [
        Step(.loaded(StoredCredentials(pending: own)), .prove(own)),
        Step(.proved(isKnown: false), .prepare),
        Step(.prepared(device: "pi", token: other.token), .save(StoredCredentials(pending: own))),
        Step(.saved, .ask(own)),
      ]),
    Row(
      "killed before the request: the name may be another by now",
      [
        Step(.loaded(StoredCredentials(pending: own)), .prove(own)),
        Step(.proved(isKnown: false), .prepare),
        Step(
          .prepared(device: "new", token: other.token),
          .save(StoredCredentials(pending: StoredToken(token: own.token, device: "new", server: server)))),
      ]),
    Row(
      "a lost answer: proved before anything is asked",
      asked + [
        Step(.failed(down), .wait(.seconds(1), down)), Step(.rested, .prove(own)),
        Step(.failed(down), .wait(.seconds(2), down)), Step(.rested, .prove(own)),
        Step(.proved(isKnown: true), .save(StoredCredentials(current: own))),
      ]),
    Row(
      "a lost request: asked again once that is sure",
      asked + [
        Step(.failed(down), .wait(.seconds(1), down)), Step(.rested, .prove(own)),
        Step(.proved(isKnown: false), .ask(own)),
        Step(.failed(down), .wait(.seconds(1), down)),
      ]),
    Row(
      "FAILURE that is our own success",
      asked + [
        Step(.answered(.failure("no")), .prove(own)),
        Step(.proved(isKnown: true), .save(StoredCredentials(current: own))),
      ]),
    Row(
      "FAILURE: told, and asked again slowly",
      asked + [
        Step(.answered(.failure("no")), .prove(own)),
        Step(.proved(isKnown: false), .wait(.seconds(30), .refused("no"))), Step(.rested, .ask(own)),
        Step(.answered(.failure("no")), .prove(own)),
        Step(.proved(isKnown: false), .wait(.seconds(60), .refused("no"))),
      ]),
    Row(
      "FAILURE while nothing can be proved",
      asked + [
        Step(.answered(.failure("no")), .prove(own)),
        Step(.failed(down), .wait(.seconds(1), down)), Step(.rested, .prove(own)),
        Step(.proved(isKnown: false), .wait(.seconds(30), .refused("no"))),
      ]),
    Row(
      "NOT_FOUND: asked again slowly",
      asked + [
        Step(.answered(.notFound("no")), .wait(.seconds(30), .notFound("no"))), Step(.rested, .ask(own)),
        Step(.answered(.success(own.token)), .save(StoredCredentials(current: own))),
      ]),
    Row(
      "credentials HTTP cannot use",
      asked + [
        Step(
          .answered(.unusable(credentialsType: "MQTT_BASIC")),
          .wait(.seconds(30), .unusable(credentialsType: "MQTT_BASIC"))),
        Step(.rested, .ask(own)),
      ]),
    Row(
      "a token that cannot be one is no success",
      asked + [
        Step(
          .answered(.success(Secret("a/b"))),
          .wait(
            .seconds(30),
            .request(
              DeviceAPIError(
                .notThingsBoard, "answered with an access token that has a slash in it; is it a whole URL?")))),
        Step(.rested, .prove(own)),
      ]),
    Row(
      "a captive portal is waited for slowly",
      asked + [Step(.failed(.request(portal)), .wait(.seconds(30), .request(portal))), Step(.rested, .prove(own))]),
    Row(
      "what the server asks for is waited",
      asked + [
        Step(
          .failed(.request(DeviceAPIError(.unavailable, "is busy", retryAfter: .seconds(90)))),
          .wait(.seconds(90), .request(DeviceAPIError(.unavailable, "is busy", retryAfter: .seconds(90)))))
      ]),
    Row(
      "nothing is asked before the token is durable",
      [
        Step(.loaded(StoredCredentials()), .prepare), prepared,
        Step(.failed(.file(full)), .wait(.seconds(1), .file(full))),
        Step(.rested, .save(StoredCredentials(pending: own))),
        Step(.failed(.file(full)), .wait(.seconds(2), .file(full))),
      ]),
    Row(
      "a granted token is used though it cannot be written",
      asked + [
        Step(.answered(.success(own.token)), .save(StoredCredentials(current: own))),
        Step(.failed(.file(full)), .done(own, unwritten: full)),
      ]),
    Row(
      "a file that cannot be read keeps the server from being asked",
      [
        Step(.failed(.file(closed)), .wait(.seconds(30), .file(closed))), Step(.rested, .load),
        Step(.loaded(StoredCredentials(current: inUse)), .done(inUse, unwritten: nil)),
      ]),
    Row(
      "a name with a hole in it is waited for",
      [
        Step(.loaded(StoredCredentials()), .prepare),
        Step(.failed(.name(.noHardwareAddress)), .wait(.seconds(30), .name(.noHardwareAddress))),
        Step(.rested, .prepare), prepared,
      ]),
    Row(
      "an event nobody waits for changes nothing",
      asked + [Step(.rested, .ask(own)), Step(.saved, .ask(own)), Step(.proved(isKnown: true), .ask(own))]),

    // MARK: provision --force
    Row(
      "anew: the one in use stays until the new one is granted", mode: .once,
      [
        Step(.loaded(StoredCredentials(current: inUse)), .prepare),
        Step(.prepared(device: "pi", token: own.token), .save(StoredCredentials(current: inUse, pending: own))),
        Step(.saved, .ask(own)),
        Step(.answered(.success(own.token)), .save(StoredCredentials(current: own))),
        Step(.saved, .done(own, unwritten: nil)),
      ]),
    Row(
      "anew: a refusal drops the new one", mode: .once,
      [
        Step(.loaded(StoredCredentials(current: inUse)), .prepare),
        Step(.prepared(device: "pi", token: own.token), .save(StoredCredentials(current: inUse, pending: own))),
        Step(.saved, .ask(own)), Step(.answered(.failure("no")), .prove(own)),
        Step(.proved(isKnown: false), .save(StoredCredentials(current: inUse))),
        Step(.saved, .fail(.refused("no"))),
      ]),
    Row(
      "anew: NOT_FOUND ends it even where the file cannot be put back", mode: .once,
      [
        Step(.loaded(StoredCredentials(current: inUse)), .prepare),
        Step(.prepared(device: "pi", token: own.token), .save(StoredCredentials(current: inUse, pending: own))),
        Step(.saved, .ask(own)), Step(.answered(.notFound("no")), .save(StoredCredentials(current: inUse))),
        Step(.failed(.file(full)), .fail(.notFound("no"))),
      ]),
    Row(
      "anew: what an earlier attempt left in doubt is proved first", mode: .once,
      [
        Step(.loaded(StoredCredentials(current: inUse, pending: own)), .prove(own)),
        Step(.proved(isKnown: true), .save(StoredCredentials(current: own))),
      ]),
    Row(
      "anew: without a durable token it ends unasked", mode: .once,
      [
        Step(.loaded(StoredCredentials(current: inUse)), .prepare),
        Step(.prepared(device: "pi", token: own.token), .save(StoredCredentials(current: inUse, pending: own))),
        Step(.failed(.file(full)), .fail(.file(full))),
      ]),
    Row(
      "anew: what needs a person is not waited for", mode: .once,
      [
        Step(.loaded(StoredCredentials(current: inUse)), .prepare),
        Step(.failed(.name(.noHostname)), .fail(.name(.noHostname))),
      ]),
    Row(
      "anew: a doubt is waited for", mode: .once,
      [
        Step(.loaded(StoredCredentials(current: inUse)), .prepare),
        Step(.prepared(device: "pi", token: own.token), .save(StoredCredentials(current: inUse, pending: own))),
        Step(.saved, .ask(own)), Step(.failed(down), .wait(.seconds(1), down)), Step(.rested, .prove(own)),
      ]),
  ]

  @Test(arguments: rows) func step(_ row: Row) {
    var machine = Machine(mode: row.mode, server: Self.server, pace: Self.pace)
    var generator = SplitMix(seed: 1)
    #expect(machine.action == .load)
    for (index, step) in row.steps.enumerated() {
      #expect(machine.handle(step.event, using: &generator) == step.action, "step \(index + 1)")
    }
  }

  // MARK: - Killed at every step

  /// Where one life ends.
  struct Kill: Sendable {
    enum Moment: Sendable, CaseIterable {
      /// Before the step has any effect.
      case before
      /// A write is renamed and not yet synced; for all else as `after`.
      case within
      /// The step is done, its result never seen.
      case after
    }
    /// Counted over all lives from 1.
    var step: Int
    var moment: Moment
    /// Loses what the disk had not synced.
    var cutsPower: Bool

    static func all(_ steps: ClosedRange<Int>) -> [Kill] {
      steps.flatMap { step in
        Moment.allCases.flatMap { moment in
          [true, false].map { Kill(step: step, moment: moment, cutsPower: $0) }
        }
      }
    }
  }

  /// What outlives a process, and what outlives a power cut.
  struct Disk {
    var cached = StoredCredentials()
    var durable = StoredCredentials()
  }

  /// Lives until one gets its token.
  ///
  /// - Returns: The token; `nil` where none got it in `limit` steps.
  private static func live(
    _ server: ProvisioningServer, _ disk: inout Disk, kills: [Kill], limit: Int = 60
  ) -> StoredToken? {
    var generator = SplitMix(seed: 3)
    var drawn = 0
    var step = 0
    while step < limit {
      var machine = Machine(mode: .forever, server: Self.server, pace: Self.pace)
      var action = machine.action
      while step < limit {
        if case .done(let token, nil) = action { return token }
        step += 1
        let kill = kills.first { $0.step == step }
        var event: Machine.Event?
        if kill?.moment != .before {
          switch action {
          case .load: event = .loaded(disk.cached)
          case .prepare:
            drawn += 1
            event = .prepared(device: "pi", token: Secret("drawn-token-drawn-\(drawn)"))
          case .save(let credentials):
            disk.cached = credentials
            if kill?.moment != .within { disk.durable = credentials }
            event = .saved
          case .prove(let token): event = .proved(isKnown: server.knows(token.token))
          case .ask(let token):
            event = .answered(
              server.answer(
                ProvisionRequest(deviceName: token.device, key: Secret("k"), secret: Secret("s"), token: token.token)))
          case .wait: event = .rested
          case .done, .fail: return nil
          }
        }
        if let kill {
          if kill.cutsPower { disk.cached = disk.durable }
          break
        }
        guard let event else { break }
        action = machine.handle(event, using: &generator)
      }
    }
    return nil
  }

  @Test(arguments: ProvisioningServer.Strategy.allCases)
  func killedTwiceAtAnyStepThereIsOneDeviceAndItsToken(_ strategy: ProvisioningServer.Strategy) {
    let kills = Kill.all(1...14)
    for first in kills {
      for second in kills where second.step > first.step {
        let server = ProvisioningServer(strategy, registered: strategy == .checkPreProvisioned ? ["pi"] : [])
        var disk = Disk()
        let token = Self.live(server, &disk, kills: [first, second])
        let isRight = token.map { server.devices == ["pi": $0.token.reveal()] } ?? false
        #expect(isRight, "\(strategy) \(first) \(second)")
        if !isRight { return }
        // And so it stays, whatever is cut then: a current token that was only in memory is found out again.
        disk.cached = disk.durable
        let again = Self.live(server, &disk, kills: [], limit: 10)
        let isStill = again == token && server.devices.count == 1
        #expect(isStill, "\(strategy) \(first) \(second)")
        if !isStill { return }
      }
    }
  }
}
