import Configuration
import Foundation
import Testing
import ThingsBoard

/// The token and the ways to lose it.
@Suite struct SecretTests {
  static let urls = [
    Row(
      "a password", "http://user:TOP@h",
      "f:1:15: server.url has a user name or password in it (not shown); the device's token is all the server asks for"),
    Row(
      "a token in a query", "http://h/?token=TOP",
      "f:1:15: server.url has a ? or # in it (not shown); expected http(s)://HOST[:PORT][/BASE]"),
    Row(
      "a fragment", "http://h/#TOP",
      "f:1:15: server.url has a ? or # in it (not shown); expected http(s)://HOST[:PORT][/BASE]"),
    Row(
      "the whole path", "http://h/api/v1/TOP/telemetry",
      "f:1:15: server.url ends in /api/v1… (not shown), which Baudgate adds itself; write what stands before it"),
    Row(
      "another scheme", "mqtt://TOP",
      "f:1:15: server.url does not begin with http:// or https://; expected http(s)://HOST[:PORT][/BASE]"),
    Row(
      "no scheme", "TOP:8080",
      "f:1:15: server.url does not begin with http:// or https://; expected http(s)://HOST[:PORT][/BASE]"),
    Row(
      "no host", "http:///TOP", "f:1:15: server.url has no host name or address; expected http(s)://HOST[:PORT][/BASE]"),
    Row("no port", "http://h:/TOP", "f:1:15: server.url has a port that is not a number from 1 to 65535"),
    Row("port 0", "http://h:0", "f:1:15: server.url has a port that is not a number from 1 to 65535"),
    Row("port 65536", "http://h:65536", "f:1:15: server.url has a port that is not a number from 1 to 65535"),
    Row("a signed port", "http://h:+80", "f:1:15: server.url has a port that is not a number from 1 to 65535"),
    Row("a path upwards", "http://h/../TOP", "f:1:15: server.url has an empty segment, . or .. in its path"),
    Row(
      "a space", "http://h/a TOP",
      "f:1:15: server.url has a space, a control character or one beyond ASCII in it; write it percent-encoded"),
    Row("an open bracket", "http://[::1", "f:1:15: server.url has a [ without ] in its host"),
    Row(
      "a path with a quote", "http://h/a\\\"b",
      "f:1:15: server.url has a character in its path that needs percent-encoding"),
  ]

  @Test(arguments: urls) func refusesURLs(_ row: Row) {
    let found = errors("server: {url: \"\(row.text)\"}\n" + Sample.device)
    #expect(found == row.expected)
    #expect(!found.joined().contains("TOP"))
  }

  static let tokens = [
    Row("empty", "{token: ''}", "f:2:17: device.token is text; expected text that is not empty"),
    Row("absent", "{token: }", "f:2:17: device.token has no value; write one or remove the key"),
    Row("with a space", "{token: TOP SECRET}", "f:2:17: device.token has white space in it"),
    Row("with a line end", "{token: \"TOP\\n\"}", "f:2:17: device.token has white space in it"),
    Row("with a control character", "{token: \"TOP\\e\"}", "f:2:17: device.token has a control character in it"),
    Row("a URL", "{token: https://h/TOP}", "f:2:17: device.token has a slash in it; is it a whole URL?"),
    Row("dots", "{token: ..}", "f:2:17: device.token cannot be . or .."),
    Row("endless", "{token: \(String(repeating: "TOP", count: 100))}", "f:2:17: device.token is longer than 255 bytes"),
    Row("a list", "{token: [TOP]}", "f:2:17: device.token is a list; expected text"),
    Row("two of them", "{token: TOP, token_file: /x}", "f:2:34: device has token and token_file; expected one of them"),
    Row(
      "none", "{name: x}",
      "f:2:9: device has no \"token\", \"token_file\", \"credential\" or \"provision\"; one is required"),
    Row("misspelt", "{tokne: TOP}", "f:2:10: unknown key \"tokne\" in device; did you mean \"token\"?"),
    Row(
      "under another program's name", "{access_token: TOP}",
      "f:2:9: device has no \"token\", \"token_file\", \"credential\" or \"provision\"; one is required",
      "f:2:10: unknown key \"access_token\" in device; the key is \"token\""),
    Row("in the section's place", "TOP", "f:2:9: device is text; expected keys, each on a line \"key: value\""),
    Row(
      "a credential outside of a service", "{credential: tb}",
      "f:2:22: device.credential needs $CREDENTIALS_DIRECTORY, which the service manager sets for "
        + "LoadCredential=tb:FILE in the unit"),
    Row(
      "a credential's path", "{credential: ../tb}",
      "f:2:22: device.credential is the name of a systemd credential, not a path"),
  ]

  static let provisioning = [
    Row("a key alone", "{key: TOP}", "f:2:21: device.provision has no \"secret\" or \"secret_file\"; one is required"),
    Row(
      "nothing", "{}", "f:2:21: device.provision has no \"key\" or \"key_file\"; one is required",
      "f:2:21: device.provision has no \"secret\" or \"secret_file\"; one is required"),
    Row("text", "TOP", "f:2:21: device.provision is text; expected keys, each on a line \"key: value\""),
    Row(
      "both", "{key: k, secret: TOP, secret_file: /TOP}",
      "f:2:56: device.provision has secret and secret_file; expected one of them"),
    Row(
      "misspelt", "{kye: TOP, secret: TOP}", "f:2:22: unknown key \"kye\" in device.provision; did you mean \"key\"?"),
    Row("empty", "{key: '', secret: s}", "f:2:27: device.provision.key is text; expected text that is not empty"),
    Row(
      "a control character", "{key: \"TOP\\e\", secret: s}",
      "f:2:27: device.provision.key has a control character in it"),
    Row(
      "endless", "{key: k, secret: \(String(repeating: "TOP", count: 100))}",
      "f:2:38: device.provision.secret is longer than 255 bytes"),
    Row(
      "a relative file", "{key: k, secret_file: TOP}",
      "f:2:43: device.provision.secret_file is text; expected an absolute path such as /etc/baudgate/secret"),
    Row(
      "an absent file", "{key: k, secret_file: /nowhere/s}",
      "f:2:43: device.provision.secret_file: /nowhere/s cannot be read: No such file or directory"),
    Row(
      "a user name for MQTT", "{key: k, secret: s, credentials_type: MQTT_BASIC}",
      "f:2:59: device.provision.credentials_type is MQTT_BASIC, a user name and password for MQTT that HTTP cannot use; "
        + "expected ACCESS_TOKEN"),
    Row(
      "a certificate", "{key: k, secret: s, credentials_type: X509_CERTIFICATE}",
      "f:2:59: device.provision.credentials_type is X509_CERTIFICATE, which HTTP cannot use in a token's place; "
        + "expected ACCESS_TOKEN. A server that asks for a certificate as well gets it from server.tls.cert and "
        + "server.tls.key"),
    Row(
      "another type", "{key: k, secret: s, credentials_type: TOP}",
      "f:2:59: device.provision.credentials_type is text; expected ACCESS_TOKEN"),
    Row(
      "another key", "{key: k, secret: s, TOP-0815: TOP}",
      "f:2:41: unknown key (not shown) in device.provision; expected key, key_file, secret, secret_file or "
        + "credentials_type"),
  ]

  @Test(arguments: provisioning) func refusesProvisioning(_ row: Row) {
    let found = errors(Sample.server + "device: {provision: \(row.text)}\n")
    #expect(found == row.expected)
    #expect(!found.joined().contains("TOP"))
  }

  @Test(arguments: ["token: TOP", "token_file: /TOP", "credential: TOP"])
  func aTokenAndProvisioningAreOneTooMany(_ token: String) {
    let kind = String(token.prefix { $0 != ":" })
    #expect(
      errors(Sample.server + "device: {\(token), provision: {key: k, secret: s}}\n") == [
        "f:2:\(23 + token.count): device has \(kind) and provision; expected one of them"
      ])
  }

  @Test func takesProvisioning() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("p s\n", to: "secret")
    let device =
      "device: {name: 'g-{mac}', provision: {key: 0123, secret_file: \(file), credentials_type: ACCESS_TOKEN}}\n"
    let configuration = try load(Sample.server + device + Sample.sensors).get()
    #expect(configuration.device.name == "g-{mac}")
    #expect(
      configuration.device.identity == .provision(ProvisionOptions(key: Secret("0123"), secret: Secret("p s"))))
    #expect(configuration.warnings.isEmpty)
    #expect(configuration.secrets == [Secret("0123"), Secret("p s")])
  }

  /// Whatever is wrong around them, in whatever place of the right section.
  @Test func showsNoSecret() throws {
    let text = """
      server: {url: "https://user:TOP-1@h", proxy: "http://u:TOP-2@h:x", no_proxy: {}, tls: {key: "-----BEGIN TOP-3"}, TOP-4: x}
      device: {provision: {key: [TOP-5], secret: "TOP-6\\e", TOP-7: x}, token: "TOP-8 "}
      claim: {secret: "TOP-9\\e", secret_file: /TOP-10, duration: TOP-11, button: TOP}
      """
    let found = errors(text)
    #expect(found.count >= 10)
    // A line's name is none.
    #expect(!found.joined().replacing("\"TOP\"", with: "").contains("TOP"))
  }

  @Test func collectsEverySecret() throws {
    let text = """
      server: {url: https://h, proxy: "http://u:p%40ss@proxy:3128"}
      device: {token: A1}
      claim: {secret: c1}
      """
    let configuration = try load(text).get()
    #expect(
      configuration.secrets.map { $0.reveal() } == ["A1", "c1", "http://u:p%40ss@proxy:3128", "p%40ss", "p@ss"])
    #expect(!"\(configuration)".contains("ss@proxy"))
    var dumped = ""
    dump(configuration, to: &dumped)
    #expect(!dumped.contains("ss@proxy") && !dumped.contains("\"c1\""))
  }

  @Test(arguments: tokens) func refusesTokens(_ row: Row) {
    let found = errors(Sample.server + "device: \(row.text)\n")
    #expect(found == row.expected)
    #expect(!found.joined().contains("TOP"))
  }

  @Test(arguments: ["A1_TEST_TOKEN", "12345", "on", "ä", "a%2Fb", "a?b", "~x", String(repeating: "t", count: 255)])
  func takesTokens(_ token: String) throws {
    let configuration = try load(Sample.server + "device: {token: \"\(token)\"}\n").get()
    #expect(configuration.device.secrets == [Secret(token)])
    #expect(!"\(configuration)".contains(token) || token.count < 6)
  }

  @Test func readsATokenFile() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("F1\r\n", to: "token")
    let configuration = try load(Sample.server + "device: {token_file: \(file)}\n" + Sample.sensors).get()
    #expect(configuration.device.identity == .token(try DeviceCredential(token: "F1", source: .file(file))))
    #expect(configuration.warnings.isEmpty)
  }

  @Test(arguments: [(0o640, true), (0o600, true), (0o400, true), (0o644, false), (0o660, false)])
  func warnsOfATokenFileOthersMayReadOrChange(_ mode: Int, _ isFine: Bool) throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("F1", to: "token", mode: mode)
    let configuration = try load(Sample.server + "device: {token_file: \(file)}\n" + Sample.sensors).get()
    let warning =
      "f:2:22: warning: device.token_file: \(file) has mode 0\(String(mode, radix: 8)), others may read or change it; "
      + "chmod 640 \(file)"
    #expect(configuration.warnings == (isFine ? [] : [warning]))
  }

  @Test func readsASystemdCredential() throws {
    let directory = try TemporaryDirectory()
    _ = try directory.write("C1\n", to: "tb", mode: 0o444)
    let surroundings = Surroundings(credentialsDirectory: directory.path)
    let configuration = try load(Sample.server + "device: {credential: tb}\n" + Sample.sensors, in: surroundings).get()
    #expect(configuration.device.identity == .token(try DeviceCredential(token: "C1", source: .systemd("tb"))))
    #expect(configuration.warnings.isEmpty)
  }

  @Test(arguments: [
    ("", "the token of device.token_file is empty"),
    ("TOP SECRET\n", "the token of device.token_file has white space in it"),
    ("A\nB\n", "the token of device.token_file has white space in it"),
    (String(repeating: "TOP", count: 2000), "device.token_file: PATH cannot be read: longer than 4096 bytes"),
  ]) func refusesTokenFiles(_ contents: String, _ message: String) throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write(contents, to: "token")
    let found = errors(Sample.server + "device: {token_file: \(file)}\n")
    #expect(found == ["f:2:22: " + message.replacing("PATH", with: file)])
  }

  @Test func refusesWhatIsNoTokenFile() throws {
    let directory = try TemporaryDirectory()
    #expect(
      errors(Sample.server + "device: {token_file: \(directory.path)/absent}\n") == [
        "f:2:22: device.token_file: \(directory.path)/absent cannot be read: No such file or directory"
      ])
    #expect(
      errors(Sample.server + "device: {token_file: \(directory.path)}\n") == [
        "f:2:22: device.token_file: \(directory.path) cannot be read: not a regular file"
      ])
    #expect(mkfifo("\(directory.path)/pipe", 0o600) == 0)
    #expect(
      errors(Sample.server + "device: {token_file: \(directory.path)/pipe}\n") == [
        "f:2:22: device.token_file: \(directory.path)/pipe cannot be read: not a regular file"
      ])
  }

  @Test func anUnreadableFileIsOneError() throws {
    let directory = try TemporaryDirectory()
    for (path, reason) in [
      ("\(directory.path)/absent", "No such file or directory"), (directory.path, "not a regular file"),
    ] {
      guard case .failure(let errors) = GatewayConfiguration.load(path: path) else {
        Issue.record("\(path) was read")
        continue
      }
      #expect(errors.lines == ["\(path): cannot be read: \(reason)"])
    }
  }

  @Test func aFileThatIsTooLongIsNotRead() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write(String(repeating: "# comment\n", count: 200_000), to: "baudgate.yaml")
    guard case .failure(let errors) = GatewayConfiguration.load(path: file) else {
      Issue.record("was read")
      return
    }
    #expect(errors.lines == ["\(file): cannot be read: longer than 1048576 bytes"])
  }

  @Test(arguments: [
    "device: {token_file: /nowhere/token}", "device: {credential: token}",
    "device: {provision: {key_file: /nowhere/k, secret_file: /nowhere/s}}",
    "device: {token: A1}\nclaim: {secret_file: /nowhere/c}",
  ])
  func whoOnlyAsksTheDaemonNeedsNoSecret(_ sections: String) throws {
    let text = Sample.server + "\(sections)\nstate_directory: /x\n"
    #expect(!errors(text).isEmpty)
    var surroundings = Surroundings()
    surroundings.readsTokens = false
    #expect(try load(text, in: surroundings).get().controlSocket == "/x/control.sock")
  }
}
