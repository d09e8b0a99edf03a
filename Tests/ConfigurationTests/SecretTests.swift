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
    Row("none", "{name: x}", "f:2:9: device has no \"token\", \"token_file\" or \"credential\"; one is required"),
    Row("misspelt", "{tokne: TOP}", "f:2:10: unknown key \"tokne\" in device; did you mean \"token\"?"),
    Row(
      "under another program's name", "{access_token: TOP}",
      "f:2:9: device has no \"token\", \"token_file\" or \"credential\"; one is required",
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

  @Test(arguments: ["{token_file: /nowhere/token}", "{credential: token}"])
  func whoOnlyAsksTheDaemonNeedsNoToken(_ device: String) throws {
    let text = Sample.server + "device: \(device)\nstate_directory: /x\n"
    #expect(!errors(text).isEmpty)
    var surroundings = Surroundings()
    surroundings.readsTokens = false
    #expect(try load(text, in: surroundings).get().controlSocket == "/x/control.sock")
  }
}
