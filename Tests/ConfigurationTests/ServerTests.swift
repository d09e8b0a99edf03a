import Configuration
import Foundation
import Testing
import ThingsBoard

/// `server:` beyond its URL.
@Suite struct ServerTests {
  private static func server(_ options: String) -> String {
    "server: {url: https://h, \(options)}\n" + Sample.device + Sample.sensors
  }

  static let mistakes = [
    Row(
      "a transport nearly right", "transport: http_integratoin",
      "f:1:37: server.transport is \"http_integratoin\"; expected device_api or http_integration; "
        + "did you mean \"http_integration\"?"),
    Row(
      "another transport", "transport: mqtt",
      "f:1:37: server.transport is text; expected device_api or http_integration"),
    Row(
      "a link nearly right", "link: meterd",
      "f:1:32: server.link is \"meterd\"; expected unmetered or metered; did you mean \"metered\"?"),
    Row("a link that is a mapping", "link: {}", "f:1:32: server.link is a mapping; expected unmetered or metered"),
    Row(
      "text for tls", "tls: on", "f:1:31: server.tls is \"on\"; expected keys, each on a line \"key: value\""),
    Row(
      "a relative file", "tls: {ca: ca.pem}",
      "f:1:36: server.tls.ca is no path (not shown); expected an absolute path such as /etc/baudgate/ca.pem"),
    Row(
      "a key in its file's place", "tls: {key: \"-----BEGIN PRIVATE KEY-----\"}",
      "f:1:37: server.tls.key is no path (not shown); expected an absolute path such as /etc/baudgate/client.key",
      "f:1:37: server.tls.key needs \"cert\" beside it: a client proves itself with both"),
    Row(
      "a file that is not there", "tls: {ca: /nowhere/ca}",
      "f:1:36: server.tls.ca: /nowhere/ca cannot be read: No such file or directory"),
    Row(
      "a directory", "tls: {ca: /tmp}", "f:1:36: server.tls.ca: /tmp cannot be read: not a regular file"),
    Row(
      "no PEM", "tls: {ca: /proc/version}",
      "f:1:36: server.tls.ca: /proc/version has no CERTIFICATE in it; expected a PEM file"),
    Row(
      "an old version", "tls: {min_version: 1.1}",
      "f:1:45: server.tls.min_version is \"1.1\"; expected 1.2 or 1.3; did you mean \"1.2\"?"),
    Row(
      "a switch that does not exist", "tls: {verify: false}",
      "f:1:32: unknown key \"verify\" in server.tls; certificates are always verified; for one of your own, name its "
        + "authority as ca"),
    Row(
      "a key unknown", "tls: {minversion: 1.2}",
      "f:1:32: unknown key \"minversion\" in server.tls; did you mean \"min_version\"?"),
    Row(
      "hosts in a mapping", "proxy: \"http://p:1\", no_proxy: {a: b}",
      "f:1:57: server.no_proxy is a mapping; expected hosts such as [localhost, .example.com, 192.168.0.0/16]"),
    Row(
      "a URL among the hosts", "proxy: \"http://p:1\", no_proxy: [\"a b\"]",
      "f:1:57: server.no_proxy has \"a b\"; expected hosts such as localhost, .example.com, 192.168.0.0/16 or *, "
        + "without scheme and port"),
    Row(
      "hosts without number",
      "proxy: \"http://p:1\", no_proxy: [\((0...64).map { "h\($0)" }.joined(separator: ","))]",
      "f:1:57: server.no_proxy has 65 entries; at most 64 are possible"),
  ]

  @Test(arguments: mistakes) func reports(_ row: Row) {
    #expect(errors(Self.server(row.text)) == row.expected)
  }

  @Test(arguments: [
    "x", "sha256//", "sha256//" + String(repeating: "A", count: 44), "sha1//" + String(repeating: "A", count: 43) + "=",
    "sha256//" + String(repeating: "A", count: 42) + "-=", "sha256//" + String(repeating: "A", count: 43) + "=;",
  ]) func refusesPins(_ pin: String) {
    let shown = pin.count > 60 ? pin.prefix(60) + "…" : pin[...]
    #expect(
      errors(Self.server("tls: {pin: \"\(pin)\"}")) == [
        "f:1:37: server.tls.pin is \"\(shown)\"; expected sha256//BASE64 of a public key's SHA-256, 44 characters, "
          + "or up to 16 of them with ; between"
      ])
  }

  @Test(arguments: ["1.2", "\"1.2\"", "1.3", "'1.3'"]) func takesTLS(_ version: String) throws {
    let directory = try TemporaryDirectory()
    // As other systems write them: text before, carriage returns, blanks at the end.
    let foreign = "subject=CN\r\n" + Self.pem("CERTIFICATE").replacing("\n", with: " \r\n")
    let certificate = try directory.write(foreign, to: "ca.pem", mode: 0o644)
    let key = try directory.write(Self.pem("CERTIFICATE") + Self.pem("RSA PRIVATE KEY"), to: "key.pem", mode: 0o640)
    let pin = "sha256//" + String(repeating: "a", count: 43) + "="
    let text = Self.server(
      "tls: {ca: \(certificate), cert: \(key), key: \(key), pin: \"\(pin);\(pin)\", min_version: \(version)}")
    let configuration = try load(text).get()
    let tls = configuration.server.tls
    #expect((tls.authorities, tls.certificate, tls.key) == (certificate, key, key))
    #expect(tls.pin == "\(pin);\(pin)")
    #expect(tls.minimumVersion == (version.contains("2") ? .v12 : .v13))
    #expect(configuration.warnings.isEmpty)
  }

  @Test func aKeyMustBeOpenAndHidden() throws {
    let directory = try TemporaryDirectory()
    let certificate = try directory.write(Self.pem("CERTIFICATE"), to: "c", mode: 0o644)
    let open = try directory.write(Self.pem("PRIVATE KEY"), to: "open", mode: 0o644)
    let configuration = try load(Self.server("tls: {cert: \(certificate), key: \(open)}")).get()
    #expect(configuration.warnings.count == 1)
    #expect(
      configuration.warnings.first?.hasSuffix(
        "server.tls.key: \(open) has mode 0644, others may read or change it; chmod 640 \(open)") == true)
    for (name, text) in [
      ("new", Self.pem("ENCRYPTED PRIVATE KEY")),
      ("old", Self.pem("RSA PRIVATE KEY").replacing("MII", with: "Proc-Type: 4,ENCRYPTED\n\nMII")),
    ] {
      let file = try directory.write(text, to: name)
      let found = errors(Self.server("tls: {cert: \(certificate), key: \(file)}"))
      #expect(found.count == 1)
      #expect(
        found.first?.hasSuffix(
          "server.tls.key: \(file) needs a passphrase, which nobody could type; store the key without one") == true)
    }
    #expect(errors(Self.server("tls: {cert: \(certificate)}")).count == 1)
    #expect(errors(Self.server("tls: {cert: \(open), key: \(open)}")).count == 1)
  }

  @Test func whoOnlyAsksTheDaemonOpensNoKey() throws {
    var surroundings = Surroundings()
    surroundings.readsTokens = false
    let text = Self.server("tls: {cert: /nowhere/c, key: /nowhere/k}")
    #expect(try load(text, in: surroundings).get().server.tls.key == "/nowhere/k")
  }

  @Test func warnsOfWhatMeansNothing() throws {
    let text =
      "server: {url: http://127.0.0.1, tls: {min_version: 1.3}, no_proxy: a}\n" + Sample.device + Sample.sensors
    #expect(
      try load(text).get().warnings == [
        "f:1:38: warning: server.tls means nothing: server.url begins with http://",
        "f:1:68: warning: server.no_proxy means nothing without server.proxy",
      ])
  }

  static let proxies = [
    Row("no scheme", "TOP:3128", "does not begin with http://, https://, socks5:// or socks5h://"),
    Row("another scheme", "ftp://TOP", "does not begin with http://, https://, socks5:// or socks5h://"),
    Row("no host", "http://u:TOP@", "has a host or a port that cannot be one"),
    Row("no port", "http://u:TOP@h:x", "has a host or a port that cannot be one"),
    Row("a path", "http://h:1/TOP", "has a host or a port that cannot be one"),
    Row("a space", "http://u:TOP SECRET@h", "has a space, a control character or one beyond ASCII in it"),
    Row(
      "endless", "http://u:\(String(repeating: "TOP", count: 400))@h", "is longer than 1024 bytes"),
  ]

  @Test(arguments: proxies) func refusesProxies(_ row: Row) throws {
    let found = errors(Self.server("proxy: \"\(row.text)\""))
    let problem = try #require(row.expected.first)
    #expect(
      found == [
        "f:1:33: server.proxy \(problem) (not shown); expected http://[USER:PASSWORD@]HOST:PORT, "
          + "or the same with https, socks5 or socks5h"
      ])
  }

  @Test(arguments: [
    "http://p:3128", "HTTPS://p", "socks5://[::1]:1080", "socks5h://u:p@ss@h/", "http://u@192.0.2.1:8",
  ]) func takesProxies(_ url: String) throws {
    let configuration = try load(Self.server("proxy: \"\(url)\"")).get()
    #expect(configuration.server.proxy.url == Secret(url))
    #expect(configuration.warnings.isEmpty)
  }

  @Test(arguments: ["[localhost, .example.com, 192.168.0.0/16]", "\"localhost, .example.com,192.168.0.0/16\""])
  func takesHostsWithoutProxy(_ hosts: String) throws {
    let configuration = try load(Self.server("proxy: \"http://p:1\", no_proxy: \(hosts)")).get()
    #expect(configuration.server.proxy.exceptions == ["localhost", ".example.com", "192.168.0.0/16"])
  }

  // MARK: The HTTP integration

  static let integration = "server: {url: https://h, transport: http_integration}\n"

  @Test func theIntegrationHasNoWayDown() throws {
    let configuration = try load(Self.integration + "device: {name: g, token: KEY}\n" + Sample.sensors).get()
    #expect(configuration.server.transport == .httpIntegration)
    #expect(configuration.downlink.rpc == .off)
    #expect(configuration.downlink.sharedAttributes == .off)
    #expect(configuration.warnings.isEmpty)
  }

  @Test func theIntegrationTakesReadingsOnly() {
    let text =
      Self.integration + """
        device: {provision: {key: k, secret: s}}
        downlink: {rpc: on, shared_attributes: off}
        rpc: {call: {c: {method: m, interval: 1m}}}
        claim: {at_boot: true}
        """
    let reason = "needs server.transport device_api: the HTTP integration only takes readings"
    #expect(
      errors(text) == [
        "f:2:9: device has no \"name\", which server.transport http_integration needs: readings are sent under it",
        "f:2:10: device.provision \(reason)", "f:3:17: downlink.rpc \(reason); remove it or write off",
        "f:4:7: rpc.call \(reason)", "f:5:1: claim \(reason)",
      ])
  }

  // MARK: Metered links

  private static let metered = "server: {url: https://h, link: metered}\n" + Sample.device

  @Test func aMeteredLinkChangesDefaults() throws {
    let configuration = try load(Self.metered).get()
    #expect(configuration.server.link == .metered)
    #expect(configuration.upload.interval == .seconds(10))
    #expect(configuration.downlink.rpc == .every(.seconds(300)))
    #expect(configuration.downlink.sharedAttributes == .every(.seconds(900)))
    let plain = try load(Sample.head).get()
    #expect(plain.upload.interval == .seconds(1))
    #expect(plain.downlink.rpc == .on)
    #expect(plain.downlink.sharedAttributes == .on)
  }

  @Test func whatTheFileSaysGoesBeforeTheLink() throws {
    let text = Self.metered + "upload: {interval: 2s}\ndownlink: {rpc: on}\n"
    let configuration = try load(text).get()
    #expect(configuration.upload.interval == .seconds(2))
    #expect(configuration.downlink.rpc == .on)
    #expect(configuration.downlink.sharedAttributes == .every(.seconds(900)))
    let sections = try load(Self.metered + "upload: {max_batch: 7}\ndownlink: {shared_attributes: off}\n").get()
    #expect(sections.upload.interval == .seconds(10))
    #expect(sections.upload.maxBatch == 7)
    #expect(sections.downlink.rpc == .every(.seconds(300)))
    #expect(sections.downlink.sharedAttributes == .off)
  }

  private static func pem(_ label: String) -> String {
    "-----BEGIN \(label)-----\nMIIB\n-----END \(label)-----\n"
  }
}
