import Configuration
import EventLoop
import Foundation
import Hardware
import Logging
import Synchronization
import Telemetry
import Testing

@testable import Gateway

/// Ladders on a real loop, with programs, boards and ports that only note what is asked of them.
@Suite struct RecoveryTests {
  /// What a ladder has done. The boot's clock is the machine's and an offset.
  final class Rig: Sendable {
    private struct State {
      var ran: [String] = []
      var reports: [String] = []
      var results: [String: StepResult] = [:]
      var offset = Duration.seconds(100_000)
    }
    private let state = Mutex(State())
    let log = LogLines()
    let reported = Tally()
    /// Called while a program runs.
    let whileRunning = Mutex<(@Sendable () -> Void)?>(nil)

    var ran: [String] { state.withLock { $0.ran } }
    var reports: [String] { state.withLock { $0.reports } }
    var clock: @Sendable () -> Duration { { [self] in Uptime.boottime + state.withLock { $0.offset } } }
    func sleep(_ time: Duration) { state.withLock { $0.offset += time } }
    func answer(_ step: String, _ result: StepResult) { state.withLock { $0.results[step] = result } }

    private func note(_ step: String) -> StepResult {
      whileRunning.withLock { $0 }?()
      return state.withLock { state in
        state.ran.append(step)
        return state.results[step] ?? .done
      }
    }

    var hands: RecoveryHands {
      RecoveryHands(
        programs: ["restart-modem", "second"], run: { [self] in note($0) }, reboot: { [self] in note("reboot") },
        report: { [self] readings in
          for reading in readings {
            guard case .json(let json) = reading.value else { continue }
            state.withLock {
              $0.reports.append(
                "\(reading.key.name) \(json["trouble"] ?? .null) \(json["step"] ?? .null) \(json["result"] ?? .null)")
            }
          }
          reported.add()
        })
    }

    var port: PortHands {
      PortHands(
        look: { .init(bytes: 0, isStopped: false) }, reopen: { [self] in note("reopen") },
        resetUSB: { [self] in note("usb-reset") })
    }
  }

  static func step(_ milliseconds: Int, _ run: String) -> RecoveryStep {
    RecoveryStep(after: .milliseconds(milliseconds), run: run)
  }

  static func recovery(_ loop: EventLoop, _ rig: Rig, _ steps: [RecoveryStep], _ directory: String, boot: String = "a")
    async throws -> Recovery
  {
    let book = await LadderBook.open(
      on: loop, directory: directory, disk: BlockingPool(name: "test", threads: 1), log: rig.log.logger, boot: boot,
      now: rig.clock())
    let recovery = Recovery(on: loop, steps: steps, book: book, hands: rig.hands, log: rig.log.logger, clock: rig.clock)
    try await recovery.start()
    return recovery
  }

  static func exists(_ directory: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(directory)/recovery.json")
  }

  @Test func stepsAreTakenLoggedAndReported() throws {
    try LadderRecordTests.inDirectory { loop, directory in
      let rig = Rig()
      rig.answer("restart-modem", .failed("ended with status 3, saying: no modem"))
      let recovery = try await Self.recovery(
        loop, rig, [Self.step(5, "restart-modem"), Self.step(10, "no-such"), Self.step(15, "reboot")], directory)
      recovery.linkFailed()
      await rig.reported.reaches(3)
      #expect(rig.ran == ["restart-modem", "reboot"])
      #expect(
        rig.reports == [
          #"recovery string("server unreachable") string("restart-modem") string("ended with status 3, saying: no modem")"#,
          #"recovery string("server unreachable") string("no-such") string("skipped: rpc.run has no program of that name; correct the step or add the program")"#,
          #"recovery string("server unreachable") string("reboot") string("ok")"#,
        ])
      #expect(rig.log.count(of: "taking step 2 of 3, no-such (round 1)") == 1)
      #expect(
        rig.log.count(of: "restart-modem: ended with status 3, saying: no modem; next, unless it is over: no-such") == 1
      )
      #expect(Self.exists(directory))
      recovery.linkWorked()
      while Self.exists(directory) { try await loop.sleep(for: .milliseconds(1)) }
      #expect(rig.log.lines.last?.level == .notice)
      #expect(rig.log.lines.last?.text.hasSuffix("steps taken: restart-modem, no-such, reboot") == true)
      #expect(rig.log.count(of: "the server is reached again") == 1)
      await recovery.stop()
    }
  }

  @Test func whatEndsInTimeIsNoNewsAndNoWrite() throws {
    try LadderRecordTests.inDirectory { loop, directory in
      let rig = Rig()
      let recovery = try await Self.recovery(loop, rig, [Self.step(60_000, "restart-modem")], directory)
      for _ in 0..<100 {
        recovery.linkWorked()
        recovery.linkFailed()
        recovery.note(.unreached(.unreachable))
        recovery.note(.reached)
      }
      try await loop.sleep(for: .milliseconds(1))
      await recovery.stop()
      #expect(rig.log.lines.isEmpty && rig.ran.isEmpty && !Self.exists(directory))
    }
  }

  /// One failure long ago and silence since: nobody knows whether the server is there.
  @Test func silenceIsNoTrouble() throws {
    try LadderRecordTests.inDirectory { loop, directory in
      let rig = Rig()
      let recovery = try await Self.recovery(loop, rig, [Self.step(3_600_000, "restart-modem")], directory)
      recovery.linkFailed()
      try await loop.sleep(for: .milliseconds(1))
      rig.sleep(.seconds(7200))
      // The timer fires.
      await recovery.lookNow()
      #expect(rig.ran.isEmpty)
      // The next failure is evidence.
      recovery.linkFailed()
      await rig.reported.reaches(1)
      #expect(rig.ran == ["restart-modem"])
      await recovery.stop()
    }
  }

  /// A daemon that starts amid an outage goes on where it was, once a request fails.
  @Test(arguments: ["a", "b"]) func afterARestartItGoesOn(_ boot: String) throws {
    try LadderRecordTests.inDirectory { loop, directory in
      let steps = [Self.step(5, "restart-modem"), Self.step(3_600_000, "second")]
      let rig = Rig()
      let first = try await Self.recovery(loop, rig, steps, directory)
      first.linkFailed()
      await rig.reported.reaches(1)
      await first.stop()
      rig.sleep(.seconds(3600))
      let second = try await Self.recovery(loop, rig, steps, directory, boot: boot)
      await second.lookNow()
      #expect(rig.ran == ["restart-modem"], "no request has failed yet")
      second.linkFailed()
      await rig.reported.reaches(2)
      #expect(rig.ran == ["restart-modem", "second"])
      await second.stop()
    }
  }

  @Test func afterARestartASuccessEndsIt() throws {
    try LadderRecordTests.inDirectory { loop, directory in
      let rig = Rig()
      let first = try await Self.recovery(loop, rig, [Self.step(5, "restart-modem")], directory)
      first.linkFailed()
      await rig.reported.reaches(1)
      await first.stop()
      let second = try await Self.recovery(loop, rig, [Self.step(5, "restart-modem")], directory, boot: "b")
      second.linkWorked()
      while Self.exists(directory) { try await loop.sleep(for: .milliseconds(1)) }
      #expect(rig.log.count(of: "the server is reached again") == 1)
      await second.stop()
    }
  }

  /// Without a memory a board would restart again and again.
  @Test func aRebootThatCannotBeRememberedIsNotDone() throws {
    try LadderRecordTests.inDirectory { loop, directory in
      let rig = Rig()
      let recovery = try await Self.recovery(
        loop, rig, [Self.step(5, "restart-modem"), Self.step(10, "reboot")], "\(directory)/gone")
      recovery.linkFailed()
      await rig.reported.reaches(2)
      #expect(rig.ran == ["restart-modem"])
      #expect(rig.reports.last?.contains("skipped: it could not be remembered") == true)
      await recovery.stop()
    }
  }

  /// The step itself brings the link back.
  @Test func aStepThatHelpsIsTheLast() throws {
    try LadderRecordTests.inDirectory { loop, directory in
      let rig = Rig()
      let recovery = try await Self.recovery(
        loop, rig, [Self.step(5, "restart-modem"), Self.step(6, "reboot")], directory)
      rig.whileRunning.withLock { $0 = { recovery.linkWorked() } }
      recovery.linkFailed()
      await rig.reported.reaches(1)
      while Self.exists(directory) { try await loop.sleep(for: .milliseconds(1)) }
      #expect(rig.ran == ["restart-modem"])
      #expect(await recovery.due == nil)
      await recovery.stop()
    }
  }

  // MARK: Ports

  static func port(_ loop: EventLoop, _ rig: Rig, _ hands: PortHands, _ steps: [RecoveryStep], _ directory: String)
    async throws -> PortRecovery
  {
    let book = await LadderBook.open(
      on: loop, directory: directory, disk: BlockingPool(name: "test", threads: 1), log: rig.log.logger, boot: "a",
      now: rig.clock())
    let recovery = PortRecovery(
      on: loop, port: "meter", steps: steps, book: book, hands: rig.hands, portHands: hands, log: rig.log.logger,
      clock: rig.clock)
    try await recovery.start()
    return recovery
  }

  @Test func aSilentPortIsOpenedResetAndMore() throws {
    try LadderRecordTests.inDirectory { loop, directory in
      let rig = Rig()
      let bytes = Atomic<UInt64>(7)
      var hands = rig.port
      hands.look = { .init(bytes: bytes.load(ordering: .relaxed), isStopped: false) }
      let recovery = try await Self.port(
        loop, rig, hands, [Self.step(40, "reopen"), Self.step(50, "usb-reset"), Self.step(60, "second")], directory)
      await rig.reported.reaches(3)
      #expect(rig.ran == ["reopen", "usb-reset", "second"])
      #expect(rig.reports.first == #"recovery string("port meter silent") string("reopen") string("ok")"#)
      bytes.store(8, ordering: .relaxed)
      while Self.exists(directory) { try await loop.sleep(for: .milliseconds(1)) }
      #expect(rig.log.count(of: "port meter speaks again") == 1)
      await recovery.stop()
    }
  }

  @Test(arguments: [true, false]) func aPortThatSpeaksOrWasStoppedIsNotSilent(_ isStopped: Bool) throws {
    try LadderRecordTests.inDirectory { loop, directory in
      let rig = Rig()
      let looks = Atomic<UInt64>(0)
      var hands = rig.port
      hands.look = {
        let count = looks.add(1, ordering: .relaxed).newValue
        return .init(bytes: isStopped ? 0 : count, isStopped: isStopped)
      }
      let recovery = try await Self.port(loop, rig, hands, [Self.step(0, "reopen")], directory)
      while looks.load(ordering: .relaxed) < 10 { try await loop.sleep(for: .milliseconds(1)) }
      await recovery.stop()
      #expect(rig.ran.isEmpty && rig.log.lines.isEmpty && !Self.exists(directory))
    }
  }

  /// A real port on a pseudo-terminal.
  @Test func handsOfAPort() throws {
    try LadderRecordTests.inDirectory { loop, _ in
      var (master, slave): (CInt, CInt) = (-1, -1)
      var name = [CChar](repeating: 0, count: 64)
      try check("openpty") { openpty(&master, &slave, &name, nil, nil) }
      defer {
        close(master)
        close(slave)
      }
      let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let opened = Tally()
      let pool = BlockingPool(name: "test", threads: 2)
      let port = SerialPort(
        name: "meter", options: SerialOptions(path: path), loop: loop, pool: pool, log: LogLines().logger
      ) { event in if case .opened = event { opened.add() } }
      let hands = PortHands(port, on: loop, pool: pool)
      #expect(hands.look() == .init(bytes: 0, isStopped: true))
      #expect(await hands.reopen() != .done)
      await port.start()
      await opened.reaches(1)
      #expect(hands.look() == .init(bytes: 0, isStopped: false))
      guard case .skipped(let words) = await hands.resetUSB() else {
        Issue.record("a pseudo-terminal has no USB device")
        return
      }
      #expect(words == "\(path) belongs to no USB device; take usb-reset out of its `silent:`")
      await port.stop()
    }
  }

  // MARK: Programs

  static let programs: [(script: String, result: StepResult)] = [
    ("exit 0", .done),
    ("echo no modem; exit 3", .failed("ended with status 3, saying: no modem ")),
    ("exit 1", .failed("ended with status 1 and said nothing")),
    ("kill -9 $$", .failed("was ended by signal 9 and said nothing")),
  ]

  @Test(arguments: programs) func programsOfTheConfiguration(_ script: String, _ result: StepResult) async {
    var rpc = RPCOptions()
    rpc.run = ["restart-modem": ["/bin/sh", "-c", script], "none": ["/nonexistent"]]
    let programs = RecoveryPrograms(rpc, pool: BlockingPool(name: "test", threads: 1))
    #expect(await programs.run("restart-modem") == result)
    #expect(await programs.run("none") == .failed("cannot start: /nonexistent: No such file or directory"))
    #expect(await programs.run("other") == .skipped("rpc.run has no other; correct the step or add the program"))
  }
}
