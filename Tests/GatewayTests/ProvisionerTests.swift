import Configuration
import EventLoop
import Foundation
import Synchronization
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct ProvisionerTests {
  private static let disk = BlockingPool(name: "prov-tests", threads: 1)
  private static let options = ProvisionOptions(key: Secret("PROVISION_KEY_1"), secret: Secret("PROVISION_SECRET_1"))

  /// One state directory with its server, and a log; each `provisioner` is a start of the daemon.
  private final class Site: @unchecked Sendable {
    let loop: EventLoop
    let directory: String
    let server: ProvisioningServer
    let log = LogLines()
    private let isFull = Mutex(false)

    init(_ loop: EventLoop, _ directory: String, _ server: ProvisioningServer = ProvisioningServer()) {
      self.loop = loop
      self.directory = directory
      self.server = server
    }

    var file: CredentialFile {
      CredentialFile(directory: directory) { [self] _ throws(SystemError) in
        if isFull.withLock({ $0 }) { throw SystemError("write", errno: ENOSPC) }
      }
    }

    var stored: StoredCredentials {
      (try? CredentialFile(directory: directory).load().credentials) ?? StoredCredentials()
    }

    func fill(_ full: Bool) { isFull.withLock { $0 = full } }

    func provisioner(
      name: String? = "pi", url: String = "http://tb", pace: RetryPace = CallRig.hasty,
      tree: SystemTree = SystemTree(root: "/nowhere")
    ) -> Provisioner {
      Provisioner(
        on: loop, api: server, options: ProvisionerTests.options, deviceName: name, server: url, file: file,
        disk: ProvisionerTests.disk, log: log.logger, pace: pace, tree: tree)
    }

    /// No line holds a secret, whatever the server said.
    func expectNoSecrets() {
      let secrets =
        [ProvisionerTests.options.key, ProvisionerTests.options.secret] + server.requests.map(\.token) + server.proofs
      for secret in secrets { #expect(!log.text.contains(secret.reveal())) }
    }
  }

  private static func onSite(
    _ strategy: ProvisioningServer.Strategy = .allowCreating, registered: [String] = [],
    _ body: @escaping @Sendable (Site) async throws -> Void
  ) throws {
    try CallRig.inDirectory { directory in
      try CallRig.run { loop in
        let site = Site(loop, directory, ProvisioningServer(strategy, registered: registered))
        try await body(site)
        site.expectNoSecrets()
      }
    }
  }

  @Test func aFirstStartAndTheNextOne() throws {
    try Self.onSite { site in
      let first = site.provisioner()
      let token = await first.credential()
      #expect(site.server.devices["pi"] == token?.reveal())
      #expect(site.stored.current?.token == token && site.stored.pending == nil)
      #expect(await first.status.state == .provisioned)
      #expect(await first.status.device == "pi")
      #expect(await first.credential() == token)
      // Without a server in reach.
      site.server.proofFaults = [.down]
      let second = site.provisioner()
      #expect(await second.credential() == token)
      #expect(site.server.requests.count == 1 && site.server.proofs.isEmpty)
    }
  }

  @Test func theTokenIsOnTheDiskBeforeTheServerHearsOfIt() throws {
    try Self.onSite { site in
      site.server.faults = [.lostRequest]
      site.server.proofFaults = [.down]
      let provisioner = site.provisioner(pace: CallRig.patient)
      let task = Task(executorPreference: site.loop) { await provisioner.credential() }
      await site.server.asked.reaches(1)
      #expect(site.stored.pending?.token == site.server.requests.first?.token)
      #expect(await provisioner.status.state == .pending)
      task.cancel()
      #expect(await task.value == nil)
    }
  }

  @Test func aLostAnswerLocksNobodyOut() throws {
    try Self.onSite { site in
      site.server.faults = [.lostAnswer]
      site.server.proofFaults = [.down, .down]
      let token = await site.provisioner().credential()
      #expect(site.server.devices == ["pi": token?.reveal()])
      #expect(site.server.requests.count == 1)
      #expect(site.log.count(of: "readings are kept meanwhile") >= 1)
    }
  }

  @Test func aServerThatAnswersFailureToALostAnswerIsSeenThrough() throws {
    try Self.onSite { site in
      // The request is still on its way while the proof says no; asked again, the server refuses.
      site.server.faults = [.lostRequest, .lostAnswer, .answer(.failure("Failed to provision device!"))]
      let token = await site.provisioner().credential()
      #expect(site.server.devices == ["pi": token?.reveal()])
    }
  }

  @Test func theServersOwnTokenCountsWhereTheDeviceIsRegistered() throws {
    try Self.onSite(.checkPreProvisioned, registered: ["pi"]) { site in
      site.server.faults = [.lostAnswer]
      let token = await site.provisioner().credential()
      #expect(token?.reveal() == ProvisioningServer.registeredToken)
      #expect(site.stored.current?.token == token)
    }
  }

  @Test func eachRefusalIsToldApartWithWhatToDo() throws {
    try Self.onSite { site in
      let secret = Self.options.secret.reveal()
      site.server.faults = [
        .answer(.notFound("Provision data was not found! \(secret)")), .answer(.notFound("again")),
        .answer(.failure("Failed to provision device!")), .answer(.unusable(credentialsType: "MQTT_BASIC")),
      ]
      let token = await site.provisioner().credential()
      #expect(site.server.devices["pi"] == token?.reveal())
      #expect(site.log.count(of: "compare device.provision.key") == 1, "once in ten minutes")
      #expect(site.log.count(of: "choose another device.name") == 1)
      #expect(site.log.count(of: "MQTT_BASIC") == 1)
      #expect(site.log.count(of: "has provisioned device \"pi\"") == 1)
    }
  }

  @Test func aFullDiskKeepsTheServerFromBeingAsked() throws {
    try Self.onSite { site in
      site.fill(true)
      let provisioner = site.provisioner()
      let task = Task(executorPreference: site.loop) { await provisioner.credential() }
      while await provisioner.status.lastError == nil { await Self.disk.run {} }
      #expect(site.server.requests.isEmpty)
      site.fill(false)
      #expect(await task.value != nil)
      #expect(site.stored.current?.token == site.server.requests.first?.token)
    }
  }

  @Test func aDiskThatFillsUpAtTheLastMomentCostsNothing() throws {
    try Self.onSite { site in
      site.server.faults = [.lostAnswer]
      // Full from the first proof on.
      let provisioner = site.provisioner()
      let task = Task(executorPreference: site.loop) { await provisioner.credential() }
      await site.server.asked.reaches(1)
      site.fill(true)
      let token = await task.value
      #expect(token != nil && site.server.devices["pi"] == token?.reveal())
      #expect(site.stored.current == nil && site.stored.pending?.token == token)
      #expect(site.log.count(of: "writing it is tried again") == 1)
      // Killed here, the next start finds it out; left alone, it is written.
      site.fill(false)
      while site.stored.current == nil { await Self.disk.run {} }
      #expect(
        site.stored
          == StoredCredentials(current: StoredToken(token: token ?? Secret(""), device: "pi", server: "http://tb")))
      #expect(site.server.requests.count == 1)
    }
  }

  @Test func aCredentialOfAnotherServerIsUsedAndToldOf() throws {
    try Self.onSite { site in
      let token = await site.provisioner(url: "http://old").credential()
      #expect(await site.provisioner(url: "http://new").credential() == token)
      #expect(site.log.count(of: "credential of http://old, and server.url is http://new") == 1)
    }
  }

  @Test func aNameWithAHoleIsWaitedFor() throws {
    try Self.onSite { site in
      let root = site.directory + "/machine"
      let provisioner = site.provisioner(name: "gw-{mac}", tree: SystemTree(root: root))
      let task = Task(executorPreference: site.loop) { await provisioner.credential() }
      while await provisioner.status.lastError == nil { await Self.disk.run {} }
      #expect(site.server.requests.isEmpty)
      // A USB adapter appears.
      try CallRig.plant(
        [
          "/sys/class/net/usb0/device/vendor": "1", "/sys/class/net/usb0/addr_assign_type": "0\n",
          "/sys/class/net/usb0/address": "B8:27:EB:00:00:01\n",
        ], below: root)
      #expect(await task.value != nil)
      #expect(Array(site.server.devices.keys) == ["gw-b827eb000001"])
    }
  }

  @Test func twoWhoWaitGetOneDevice() throws {
    try Self.onSite { site in
      let provisioner = site.provisioner()
      async let first = provisioner.credential()
      async let second = provisioner.credential()
      let tokens = await [first, second]
      #expect(tokens[0] == tokens[1] && tokens[0] != nil)
      #expect(site.server.requests.count == 1)
    }
  }

  // MARK: provision --force

  @Test func aNewCredentialReplacesTheOldOne() throws {
    try Self.onSite { site in
      let provisioner = site.provisioner()
      let old = await provisioner.credential()
      site.server.devices = [:]
      guard case .success(let new) = await provisioner.provisionAnew() else {
        Issue.record("\(site.log.text)")
        return
      }
      #expect(new != old && site.server.devices == ["pi": new.reveal()])
      #expect(site.stored.current?.token == new && site.stored.pending == nil)
      #expect(await provisioner.credential() == new)
    }
  }

  @Test(arguments: [
    (ProvisioningServer.Fault.answer(.failure("Failed to provision device!")), "choose another device.name"),
    (.answer(.notFound("Provision data was not found!")), "device.provision.key"),
    (.answer(.unusable(credentialsType: "X509_CERTIFICATE")), "X509_CERTIFICATE"),
    (.error(DeviceAPIError(.redirected, "points elsewhere")), "points elsewhere"),
  ])
  func aFailureKeepsTheCredentialInUse(_ fault: ProvisioningServer.Fault, _ words: String) throws {
    try Self.onSite { site in
      let provisioner = site.provisioner()
      let old = await provisioner.credential()
      site.server.faults = [fault]
      guard case .failure(let failure) = await provisioner.provisionAnew() else {
        Issue.record("\(fault) is no success")
        return
      }
      #expect(failure.message.contains(words) && failure.message.contains("the credential in use stays"))
      #expect(site.stored.current?.token == old)
      #expect(await provisioner.credential() == old)
    }
  }

  @Test func aDoubtKeepsBothAndTheNextAttemptEndsIt() throws {
    try Self.onSite { site in
      let old = await site.provisioner().credential()
      site.server.devices = [:]
      site.server.faults = [.lostAnswer]
      // The first retry is beyond the time it has.
      let patient = site.provisioner(pace: CallRig.patient)
      guard case .failure(let failure) = await patient.provisionAnew() else {
        Issue.record("no answer is no success")
        return
      }
      #expect(failure.message.contains("no definite answer"))
      #expect(site.stored.current?.token == old)
      #expect(site.stored.pending?.token.reveal() == site.server.devices["pi"])
      let requests = site.server.requests.count
      guard case .success(let new) = await site.provisioner().provisionAnew() else {
        Issue.record("the server knows it")
        return
      }
      #expect(site.server.devices == ["pi": new.reveal()] && site.server.requests.count == requests)
      #expect(site.stored.current?.token == new)
    }
  }

  @Test func anewIsRefusedWhileTheFirstAttemptIsUnderWay() throws {
    try Self.onSite { site in
      site.server.faults = [.lostRequest]
      let provisioner = site.provisioner(pace: CallRig.patient)
      let task = Task(executorPreference: site.loop) { await provisioner.credential() }
      await site.server.asked.reaches(1)
      guard case .failure(let failure) = await provisioner.provisionAnew() else {
        Issue.record("one at a time")
        return
      }
      #expect(failure.message.contains("under way already"))
      task.cancel()
      _ = await task.value
    }
  }
}
