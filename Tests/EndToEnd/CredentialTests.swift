import Foundation
import Simulator
import Testing

/// Where the token comes from, and that nothing a person has put there is ever written to.
@Suite(.serialized) struct CredentialTests {
  private static let token = GatewayUnderTest.token
  private static let profile = ProvisioningProfile(key: "pk-4711", secret: "s3cret-of-the-profile")

  // MARK: A token that was given

  /// Also a credential of an earlier life stays as it is, and is not used.
  @Test(arguments: ["token", "token_file", "credential"]) func aGivenTokenStays(_ kind: String) async throws {
    let gateway = try await GatewayUnderTest(ports: ["line"]) { url, scratch in
      try FileManager.default.createDirectory(atPath: scratch.file("credentials"), withIntermediateDirectories: false)
      for name in ["secret", "credentials/baudgate"] {
        try scratch.write("\(Self.token)\n", to: name)
        chmod(scratch.file(name), 0o400)
      }
      try scratch.write(
        #"{"version":1,"current":{"token":"OF_ANOTHER_LIFE_123456","server":"\#(url)"}}"#, to: "state/credential.json")
      chmod(scratch.file("state/credential.json"), 0o600)
      let place = ["token": Self.token, "token_file": scratch.file("secret"), "credential": "baudgate"]
      return """
        server: {url: \(url)}
        device: {name: e2e, \(kind): \(place[kind] ?? "")}
        ports:
          line: {path: \(scratch.file("tty-line")), baud: 115200}
        sensors:
          climate: {port: line, protocol: line, template: "N={n}"}
        """
    }
    gateway.daemon.environment = ["CREDENTIALS_DIRECTORY": gateway.scratch.file("credentials")]
    let files = ["baudgate.yaml", "secret", "credentials/baudgate", "state/credential.json"]
    func state() throws -> [String] {
      try files.map { name in
        var status = stat()
        guard stat(gateway.scratch.file(name), &status) == 0 else { throw DaemonProcess.Failure("\(name) is gone") }
        return "\(gateway.scratch.read(name)) \(status.st_ino) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
      }
    }
    let before = try state()
    try await gateway.start()
    try gateway.line.send("N=1\n")
    #expect(await gateway.arrived(1), "\(gateway.daemon.log)")
    let refused = try await gateway.baudgate("provision", "--force")
    #expect(refused.status == 1)
    #expect(refused.errors.contains("stays; to have the server grant one"), "\(refused.errors)")
    #expect(gateway.daemon.terminate() == 0)
    if kind != "credential" {
      let alone = try await gateway.baudgate("provision", "--force")
      #expect(alone.status == 1 && alone.errors.contains("stays; to have the server grant one"), "\(alone.errors)")
    }
    let after = try state()
    #expect(after == before)
    let server = gateway.server
    #expect(!server.requests().contains { $0.kind == .provision })
    #expect(!(gateway.daemon.log + refused.errors).contains(Self.token))
    await gateway.end()
  }

  // MARK: Provisioning

  private func provisioning(_ profile: ProvisioningProfile = profile, name: String) async throws -> GatewayUnderTest {
    var options = ServerOptions(tokens: [])
    options.provisioningProfiles = [profile]
    return try await GatewayUnderTest(options, ports: ["line"]) { url, scratch in
      """
      server: {url: \(url)}
      device: {name: "\(name)", provision: {key: \(profile.key), secret: \(profile.secret)}}
      ports:
        line: {path: \(scratch.file("tty-line")), baud: 115200}
      sensors:
        climate: {port: line, protocol: line, template: "N={n}"}
      """
    }
  }

  /// Each placeholder has a value of this machine, or the log tells that it has none and no device gets a name with a
  /// hole.
  @Test(arguments: ["hostname", "machine_id", "serial_number", "mac"]) func aPlaceholder(_ name: String) async throws {
    let gateway = try await provisioning(name: "board-{\(name)}-7")
    try await gateway.start()
    let server = gateway.server
    let daemon = gateway.daemon
    #expect(
      try await eventually { !server.provisionedDevices.isEmpty || daemon.log.contains("device.name has {\(name)}") },
      "\(daemon.log)")
    if let device = server.provisionedDevices.first?.name {
      let value = try #require(device.wholeMatch(of: /board-(.+)-7/)?.output.1)
      switch name {
      case "hostname": #expect(value == ProcessInfo.processInfo.hostName)
      case "machine_id":
        let id = try String(contentsOfFile: "/etc/machine-id", encoding: .utf8)
        #expect(value == id.trimmingCharacters(in: .whitespacesAndNewlines))
      case "mac": #expect(value.wholeMatch(of: /[0-9a-f]{12}/) != nil)
      default: #expect(!value.contains("{"))
      }
    } else {
      #expect(!server.requests().contains { $0.kind == .provision })
      #expect(daemon.isRunning)
    }
    await gateway.end()
  }

  /// The device exists, and no token comes of it: a person must hear what to do, and the readings wait.
  @Test(arguments: [ProvisioningProfile.CredentialsType.mqttBasic, .x509Certificate]) func credentialsHTTPCannotUse(
    _ type: ProvisioningProfile.CredentialsType
  ) async throws {
    var profile = Self.profile
    profile.credentialsType = type
    let gateway = try await provisioning(profile, name: "board-7")
    try await gateway.start()
    try gateway.line.send("N=1\n")
    let daemon = gateway.daemon
    let words =
      "credentials of type \(type.rawValue), which the HTTP API cannot use; set the device profile to access tokens"
    #expect(try await eventually { daemon.log.contains(words) }, "\(daemon.log)")
    let status = try daemon.status()
    #expect((status["queue"] as? [String: Any])?["records"] as? Int == 1)
    let provisioning = status["provisioning"] as? [String: Any]
    #expect(provisioning?["state"] as? String == "pending")
    for secret in [profile.key, profile.secret] { #expect(!daemon.log.contains(secret)) }
    await gateway.end()
  }
}
