import Foundation
import Simulator
import Synchronization
import Testing

/// The daemon is killed before and after each durable step in turn, and at each step of the server's, and started again:
/// each time the end state is right.
@Suite(.serialized) struct KillAtEveryStepTests {
  /// More durable steps than either has.
  private static let mostSteps = 40

  // MARK: Provisioning

  private static let profile = ProvisioningProfile(key: "pk-4711", secret: "s3cret-of-the-profile")

  private func provisioning(
    _ profile: ProvisioningProfile = profile, environment: [String: String] = [:]
  ) async throws -> GatewayUnderTest {
    var options = ServerOptions(tokens: [])
    options.provisioningProfiles = [profile]
    return try await GatewayUnderTest(options, ports: ["line"], environment: environment) { url, scratch in
      """
      server: {url: \(url)}
      device: {name: board-7, provision: {key: \(profile.key), secret: \(profile.secret)}}
      ports:
        line: {path: \(scratch.file("tty-line")), baud: 115200}
      sensors:
        climate: {port: line, protocol: line, template: "T={temperature}"}
      """
    }
  }

  /// Starts the daemon for good and checks that there is one device, that it is the one in use, and that nothing of what
  /// is secret was told.
  private func expectOneWorkingDevice(_ gateway: GatewayUnderTest, _ note: String) async throws {
    gateway.daemon.environment = [:]
    try await gateway.start()
    try gateway.line.send("T=21.5\n")
    let server = gateway.server
    let arrived = await server.wait(upTo: .seconds(60)) { server.count(of: "temperature") > 0 }
    #expect(arrived, "\(note): nothing arrived; the log:\n\(gateway.daemon.log)")
    let devices = server.provisionedDevices
    #expect(devices.map(\.name) == ["board-7"], "\(note)")
    let token = devices.first?.token ?? ""
    #expect(server.count(of: "temperature", token: token) > 0, "\(note): sent with another token")
    for secret in [token, Self.profile.key, Self.profile.secret] {
      #expect(!gateway.daemon.log.contains(secret), "\(note): a secret is in the log")
    }
    let mode = try FileManager.default.attributesOfItem(atPath: gateway.scratch.file("state/credential.json"))
    #expect(mode[.posixPermissions] as? Int == 0o600)
  }

  @Test(arguments: [false, true]) func provisioningSurvivesAKillAtEachDurableStep(isAfter: Bool) async throws {
    let library = try #require(Interposer.library, "cc cannot build the interposer")
    var killed = 0
    for step in 1...Self.mostSteps {
      let kill = Interposer.Kill(step: step, isAfter: isAfter)
      let gateway = try await provisioning(
        environment: kill.environment(library, match: "credential.json:/state$"))
      try gateway.daemon.launch()
      let server = gateway.server
      // Killed, or through: provisioned and written, so that there are no more steps.
      let isOver = try await eventually {
        if !gateway.daemon.isRunning { return true }
        return gateway.scratch.read("state/credential.json").contains(server.provisionedDevices.first?.token ?? "-")
          && server.openPolls(.pollCommands) > 0
      }
      #expect(isOver, "\(kill): neither killed nor provisioned; the log:\n\(gateway.daemon.log)")
      let wasKilled = !gateway.daemon.isRunning
      gateway.daemon.kill()
      try await expectOneWorkingDevice(gateway, "\(kill)")
      await gateway.end()
      if !wasKilled { break }
      killed += 1
    }
    #expect(killed >= 4, "pending and granted are two atomic writes, of more steps than \(killed)")
  }

  /// The server commits and the answer never arrives: the daemon dies before, and after, the commit.
  @Test(arguments: [RequestPhase.before, .after]) func provisioningSurvivesALostAnswer(_ phase: RequestPhase)
    async throws
  {
    let gateway = try await provisioning()
    let pid = Mutex<pid_t>(0)
    gateway.server.onRequest { kind, now in
      guard kind == .provision, now == phase else { return }
      let victim = pid.withLock { victim in
        defer { victim = 0 }
        return victim
      }
      if victim > 0 { kill(victim, SIGKILL) }
    }
    try gateway.daemon.launch()
    pid.withLock { $0 = gateway.daemon.pid }
    #expect(try await eventually { !gateway.daemon.isRunning }, "the request never came")
    gateway.daemon.kill()
    try await expectOneWorkingDevice(gateway, "\(phase) the commit")
    await gateway.end()
  }

  @Test(arguments: [
    Fault.storeThenDropConnection, .dropConnection, .hang(.milliseconds(200)), .emptyServerError, .captivePortal,
  ])
  func provisioningSurvivesABadAnswer(_ fault: Fault) async throws {
    let gateway = try await provisioning()
    gateway.server.setFault(fault, requests: 1, scope: .only(.provision))
    try await expectOneWorkingDevice(gateway, "\(fault)")
    await gateway.end()
  }

  @Test func aPreRegisteredDeviceGetsItsOwnToken() async throws {
    let profile = ProvisioningProfile(
      key: Self.profile.key, secret: Self.profile.secret,
      strategy: .checkPreProvisioned(["board-7": "REGISTERED_T0KEN_1234567"]))
    let gateway = try await provisioning(profile)
    gateway.server.addDevice(token: "REGISTERED_T0KEN_1234567")
    try await expectOneWorkingDevice(gateway, "pre-registered")
    #expect(gateway.server.provisionedDevices.first?.token == "REGISTERED_T0KEN_1234567")
    await gateway.end()
  }

  /// `sudo baudgate provision` before the first start: the service's user, not root, must be able to read the result.
  @Test func provisioningFromTheCommandLineAlone() async throws {
    let gateway = try await provisioning()
    if geteuid() == 0 { chown(gateway.scratch.file("state"), 65_534, 65_533) }
    let answer = try await gateway.baudgate("provision")
    #expect(answer.output == "the server has granted a credential\n", "\(answer.errors)")
    var directory = stat()
    var file = stat()
    #expect(stat(gateway.scratch.file("state"), &directory) == 0)
    #expect(stat(gateway.scratch.file("state/credential.json"), &file) == 0)
    #expect(file.st_uid == directory.st_uid && file.st_gid == directory.st_gid)
    #expect(try await gateway.baudgate("provision").output == "there is a credential; --force asks for another one\n")
    #expect(gateway.server.provisionedDevices.count == 1)
    try await expectOneWorkingDevice(gateway, "provisioned from the command line")
    await gateway.end()
  }

  /// `baudgate provision --force` while the daemon runs: refused while the device exists, with the old credential in use
  /// all along; granted once it was deleted.
  @Test func provisioningAnew() async throws {
    let gateway = try await provisioning()
    try await expectOneWorkingDevice(gateway, "first")
    let token = try #require(gateway.server.provisionedDevices.first?.token)
    #expect(try await gateway.baudgate("provision").output.contains("already"))
    let refused = try await gateway.baudgate("provision", "--force")
    #expect(refused.status == 1)
    #expect(refused.errors.contains("the credential in use stays"), "\(refused.errors)")
    gateway.server.deleteDevice(token: token)
    let granted = try await gateway.baudgate("provision", "--force")
    #expect(granted.status == 0, "\(granted.errors)")
    let devices = gateway.server.provisionedDevices.filter { $0.token != token }
    let fresh = try #require(devices.first?.token)
    let server = gateway.server
    try gateway.line.send("T=22.5\n")
    #expect(await server.wait(upTo: .seconds(30)) { server.count(of: "temperature", token: fresh) > 0 })
    #expect(await gateway.isPolling(token: fresh))
    #expect(!(gateway.daemon.log + granted.output + refused.errors).contains(fresh))
    await gateway.end()
  }

  /// Wrong secret: the log says which of the three answers it was and what to do, readings are kept.
  @Test func aRefusalIsToldWithWhatToDo() async throws {
    var options = ServerOptions(tokens: [])
    options.provisioningProfiles = [Self.profile]
    let gateway = try await GatewayUnderTest(options, ports: ["line"]) { url, scratch in
      """
      server: {url: \(url)}
      device: {name: board-7, provision: {key: \(Self.profile.key), secret: not-the-secret}}
      ports:
        line: {path: \(scratch.file("tty-line")), baud: 115200}
      sensors:
        climate: {port: line, protocol: line, template: "T={temperature}"}
      """
    }
    try await gateway.start()
    try gateway.line.send("T=21.5\n")
    #expect(try await eventually { gateway.daemon.log.contains("device.provision") }, "\(gateway.daemon.log)")
    #expect(!gateway.daemon.log.contains("not-the-secret"))
    let status = try gateway.daemon.status()
    #expect((status["queue"] as? [String: Any])?["records"] as? Int == 1)
    #expect((status["provisioning"] as? [String: Any])?["state"] as? String == "pending")
    #expect(gateway.daemon.terminate() == 0)
    await gateway.end()
  }

  // MARK: Commands

  /// The command's effect is a line in a file, so that it can be counted.
  @Test(arguments: [false, true]) func aCommandSurvivesAKillAtEachDurableStep(isAfter: Bool) async throws {
    let library = try #require(Interposer.library, "cc cannot build the interposer")
    var outcomes: [String: Int] = [:]
    for step in 1...Self.mostSteps {
      let kill = Interposer.Kill(step: step, isAfter: isAfter)
      let gateway = try await CommandTests.gateway(environment: kill.environment(library, match: "/state/commands"))
      let id = gateway.server.sendCommand(
        "run", params: #"{"command":"note"}"#, token: GatewayUnderTest.token, lifetime: .seconds(120))
      try gateway.daemon.launch()
      let server = gateway.server
      let isOver = try await eventually {
        !gateway.daemon.isRunning || server.reply(to: id, token: GatewayUnderTest.token) != nil
      }
      #expect(isOver, "\(kill): neither killed nor answered; the log:\n\(gateway.daemon.log)")
      let wasKilled = !gateway.daemon.isRunning
      let ranBefore = gateway.scratch.read("runs").count / "ran\n".count
      gateway.daemon.kill()
      gateway.daemon.environment = [:]
      try await gateway.start()
      let reply = await server.waitForReply(to: id, token: GatewayUnderTest.token, within: .seconds(60))
      let runs = gateway.scratch.read("runs").count / "ran\n".count
      let text = reply ?? "no reply"
      #expect(runs <= 1, "\(kill): it ran \(runs) times")
      switch text {
      case #"{"exit":0,"output":"done\n"}"#: #expect(runs == 1, "\(kill): answered without having run")
      case let text where text.contains("interrupted"): #expect(wasKilled, "\(kill): \(text)")
      default: Issue.record("\(kill): \(text); the log:\n\(gateway.daemon.log)")
      }
      if wasKilled && ranBefore == 0 && runs == 0 { #expect(text.contains("interrupted"), "\(kill)") }
      outcomes[text.contains("interrupted") ? "interrupted" : wasKilled ? "resumed" : "through", default: 0] += 1
      await gateway.end()
      if !wasKilled { break }
    }
    #expect(outcomes["through"] == 1, "the steps have no end: \(outcomes)")
    #expect(outcomes["interrupted", default: 0] >= 1, "never between start and result: \(outcomes)")
    #expect(outcomes["resumed", default: 0] >= 1, "never before the start or after the result: \(outcomes)")
  }

  /// The server has the reply and the daemon dies before it hears so; and it dies before the server has it.
  @Test(arguments: [RequestPhase.before, .after]) func aReplySurvivesAKill(_ phase: RequestPhase) async throws {
    let gateway = try await CommandTests.gateway()
    let pid = Mutex<pid_t>(0)
    gateway.server.onRequest { kind, now in
      guard kind == .postReply, now == phase else { return }
      let victim = pid.withLock { victim in
        defer { victim = 0 }
        return victim
      }
      if victim > 0 { kill(victim, SIGKILL) }
    }
    try await gateway.start()
    pid.withLock { $0 = gateway.daemon.pid }
    let server = gateway.server
    let id = server.sendCommand(
      "run", params: #"{"command":"note"}"#, token: GatewayUnderTest.token, lifetime: .seconds(120))
    #expect(try await eventually { !gateway.daemon.isRunning }, "no reply came")
    gateway.daemon.kill()
    try await gateway.start()
    let reply = await server.waitForReply(to: id, token: GatewayUnderTest.token, within: .seconds(60))
    #expect(reply == #"{"exit":0,"output":"done\n"}"#)
    #expect(gateway.scratch.read("runs") == "ran\n")
    await gateway.end()
  }
}
