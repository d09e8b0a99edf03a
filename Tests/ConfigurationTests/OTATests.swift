import Configuration
import Testing

/// `ota:`.
@Suite struct OTATests {
  static let mistakes = [
    Row(
      "nothing", "{firmware: {}}",
      "f:3:17: ota.firmware has no \"version_file\", which is required: nothing else could tell that the new version runs",
      "f:3:17: ota.firmware has no \"install\", which is required"),
    Row("no section", "{firmware: }", "f:3:17: ota.firmware has no value; write one or remove the key"),
    Row("another kind", "{firmwares: {}}", "f:3:7: unknown key \"firmwares\" in ota; did you mean \"firmware\"?"),
    Row(
      "an option without its kind", "{install: [/i, \"{file}\"]}",
      "f:3:7: unknown key \"install\" in ota; it stands under firmware or software, which have one each"),
    Row(
      "an install command without the package", "{software: {install: [/usr/bin/i, file]}}",
      "f:3:27: ota.software.install does not say where the package goes; one of its words must have {file} in it, as in "
        + "[/usr/lib/baudgate/install-firmware, \"{file}\"]"),
    Row(
      "a package without its quotes", "{software: {install: [/usr/bin/i, {file}], rollback: [/r, a, {file}]}}",
      "f:3:40: ota.software.install[1] is {file} without quotes, which YAML takes for a mapping; write \"{file}\"",
      "f:3:67: ota.software.rollback[2] is {file} without quotes, which YAML takes for a mapping; write \"{file}\""),
    Row(
      "a program by its name", "{software: {install: [dpkg, -i, \"{file}\"]}}",
      "f:3:27: ota.software.install[0] is \"dpkg\"; expected the program's absolute path such as /usr/bin/mmcli: no shell "
        + "looks for it"),
    Row(
      "a command line", "{software: {install: \"/usr/bin/dpkg -i {file}\"}}",
      "f:3:27: ota.software.install is \"/usr/bin/dpkg -i {file}\"; expected a list such as [a, b]"),
    Row(
      "no program", "{software: {install: []}}",
      "f:3:27: ota.software.install is a list; expected a program and its arguments such as "
        + "[/usr/lib/baudgate/install-firmware, \"{file}\"]"),
    Row(
      "words without number",
      "{software: {install: [/i, \"{file}\"], rollback: [/r\(String(repeating: ",x", count: 64))]}}",
      "f:3:53: ota.software.rollback has 65 words; at most 64 are possible"),
    Row(
      "firmware without a version", "{firmware: {install: [/i, \"{file}\"]}}",
      "f:3:17: ota.firmware has no \"version_file\", which is required: nothing else could tell that the new version runs"
    ),
    Row(
      "a version file misspelt", "{firmware: {install: [/i, \"{file}\"], versionfile: /v}}",
      "f:3:43: unknown key \"versionfile\" in ota.firmware; did you mean \"version_file\"?"),
    Row(
      "values out of range",
      "{software: {install: [/i, \"{file}\"], version_file: v, chunk_size: 9MB, max_size: 1B, time_limit: 7h, confirm_within: 9s}}",
      "f:3:57: ota.software.version_file is \"v\"; expected an absolute path such as /etc/board-version",
      "f:3:72: ota.software.chunk_size is \"9MB\"; expected a size from 1KB to 8MB such as 64KB or 256MB",
      "f:3:87: ota.software.max_size is \"1B\"; expected a size from 1KB to 16GB such as 64KB or 256MB",
      "f:3:103: ota.software.time_limit is \"7h\"; expected a duration from 1s to 6h such as 250ms, 5s, 10m or 1h",
      "f:3:123: ota.software.confirm_within is \"9s\"; expected a duration from 10s to 1d such as 250ms, 5s, 10m or 1h"),
    Row(
      "another program's word", "{software: {install: [/i, \"{file}\"], timeout: 1m}}",
      "f:3:43: unknown key \"timeout\" in ota.software; the key is \"time_limit\""),
  ]

  @Test(arguments: mistakes) func reports(_ row: Row) {
    #expect(errors(Sample.head + "ota: \(row.text)\n") == row.expected)
  }

  @Test func readsEverything() throws {
    let text = """
      ota:
        firmware:
          install: [/usr/lib/baudgate/install-firmware, "--file={file}"]
          rollback: [/usr/lib/baudgate/restore-firmware]
          version_file: /etc/board-version
          chunk_size: 16KB
          max_size: 2GB
          time_limit: 30m
          confirm_within: 1h
          public_key: \(Self.key)
        software: {install: [/usr/bin/apt-get, install, -y, "{file}"]}
      """
    let ota = try load(Sample.head + text + "\n" + Sample.sensors).get().ota
    var firmware = PackageOptions(install: ["/usr/lib/baudgate/install-firmware", "--file={file}"])
    firmware.rollback = ["/usr/lib/baudgate/restore-firmware"]
    firmware.versionFile = "/etc/board-version"
    firmware.chunkSize = 16 << 10
    firmware.maxSize = 2 << 30
    firmware.timeLimit = .seconds(1800)
    firmware.confirmWithin = .seconds(3600)
    firmware.publicKey = Self.bytes
    #expect(ota[.firmware] == firmware)
    #expect(ota[.software] == PackageOptions(install: ["/usr/bin/apt-get", "install", "-y", "{file}"]))
    #expect(try load(Sample.head + "ota:\n").get().ota == OTAOptions())
  }

  // MARK: Keys. Made with `openssl genpkey -algorithm ed25519`, for this file alone.

  static let key = "fHuCfZk2Hy3ijjNyn7oIPFilgUXdxMvkz1kp94M5SXo="
  static let bytes: [UInt8] = [
    0x7C, 0x7B, 0x82, 0x7D, 0x99, 0x36, 0x1F, 0x2D, 0xE2, 0x8E, 0x33, 0x72, 0x9F, 0xBA, 0x08, 0x3C, 0x58, 0xA5, 0x81,
    0x45, 0xDD, 0xC4, 0xCB, 0xE4, 0xCF, 0x59, 0x29, 0xF7, 0x83, 0x39, 0x49, 0x7A,
  ]
  static let der = "MCowBQYDK2VwAyEA" + key
  static let privateDER = "MC4CAQAwBQYDK2VwBCIEIHXtEka+Hjuq1sU9qzp/zxt8K5l0g3A1V4AdwdaOM2Xs"
  static func pem(_ label: String, _ body: String) -> String {
    "-----BEGIN \(label)-----\n\(body)\n-----END \(label)-----\n"
  }

  private static func file(_ option: String) -> String {
    Sample.head + "ota: {software: {install: [/i, \"{file}\"], \(option)}}\n" + Sample.sensors
  }

  /// In a YAML file's double quotes.
  private static func escaped(_ text: String) -> String {
    "\"" + text.replacing("\r\n", with: "\\r\\n").replacing("\n", with: "\\n") + "\""
  }

  @Test(arguments: [
    key, der, pem("PUBLIC KEY", der), pem("PUBLIC KEY", der).replacing("\n", with: " \r\n"), key + "\n",
  ])
  func takesAPublicKeyInAnyForm(_ text: String) throws {
    let inline = try load(Self.file("public_key: \(Self.escaped(text))")).get()
    #expect(inline.ota.software?.publicKey == Self.bytes)
    let directory = try TemporaryDirectory()
    let path = try directory.write(text, to: "ota.pub", mode: 0o644)
    let configuration = try load(Self.file("public_key_file: \(path)")).get()
    #expect(configuration.ota.software?.publicKey == Self.bytes)
    #expect(configuration.warnings.isEmpty)
  }

  private static let expected =
    "expected an ed25519 public key: its 32 bytes in base64, 44 characters, or PEM as `openssl pkey -pubout` writes it"
  private static let isPrivate =
    "holds a private key (not shown); whoever can read a private key can sign packages, it belongs on no board; "
    + "openssl pkey -in KEY -pubout writes the public one"

  static let keys = [
    Row("private PEM", pem("PRIVATE KEY", privateDER), isPrivate),
    Row("private PEM that lost its line ends", pem("PRIVATE KEY", privateDER).replacing("\n", with: " "), isPrivate),
    Row("private PEM with a passphrase", pem("ENCRYPTED PRIVATE KEY", privateDER), isPrivate),
    Row("OpenSSH's private form", pem("OPENSSH PRIVATE KEY", "b3BlbnNzaC1rZXktdjEAAAAA"), isPrivate),
    Row("both", pem("PUBLIC KEY", der) + pem("PRIVATE KEY", privateDER), isPrivate),
    Row("private DER", privateDER, isPrivate),
    Row("private DER under a public name", pem("PUBLIC KEY", privateDER), isPrivate),
    Row(
      "seed and key in one", String(repeating: String(key.dropLast()), count: 2) + "==",
      "is no base64 (not shown); \(expected)"
    ),
    Row("a signature", String(repeating: "A", count: 86) + "==", "has 64 bytes in base64 (not shown); \(expected)"),
    Row("a character short", String(key.dropFirst()), "is no base64 (not shown); \(expected)"),
    Row("bits that mean nothing", key.replacing("o=", with: "p="), "is no base64 (not shown); \(expected)"),
    Row("for URLs", key.replacing("f", with: "_"), "is no base64 (not shown); \(expected)"),
    Row("hexadecimal", String(repeating: "7c", count: 32), "has 48 bytes in base64 (not shown); \(expected)"),
    Row("padding in the middle", "AA==" + key, "is no base64 (not shown); \(expected)"),
    Row("nothing but padding", "====", "is no base64 (not shown); \(expected)"),
    Row("empty", "", "is no base64 (not shown); \(expected)"),
    Row("a certificate", pem("CERTIFICATE", "MIIB"), "has no PUBLIC KEY at its beginning (not shown); \(expected)"),
    Row(
      "a key of another kind",
      pem(
        "PUBLIC KEY",
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBTtkVzD0e9oV/edSneu0kSvnIKNP\n"
          + "by2hg8KuXMDQdWIp7oG8plruiJa6vQmCska2AsGW4S2ATEWskksVt/Hl7w=="),
      "holds another kind of key (not shown); \(expected)"),
    Row("32 bytes in PEM", pem("PUBLIC KEY", key), "holds another kind of key (not shown); \(expected)"),
    Row(
      "a block without its end", "-----BEGIN PUBLIC KEY-----\n\(der)",
      "has no PUBLIC KEY at its beginning (not shown); \(expected)"),
  ]

  @Test(arguments: keys) func refusesKeys(_ row: Row) throws {
    let message = try #require(row.expected.first)
    #expect(
      errors(Self.file("public_key: \(Self.escaped(row.text))")) == ["f:3:55: ota.software.public_key \(message)"])
    let directory = try TemporaryDirectory()
    let path = try directory.write(row.text, to: "ota.pub")
    #expect(
      errors(Self.file("public_key_file: \(path)")) == ["f:3:60: ota.software.public_key_file: \(path) \(message)"])
  }

  @Test(arguments: [
    ("public_key: [TOP]", "f:3:55: ota.software.public_key is a list; expected text"),
    (
      "public_key: x, public_key_file: /TOP",
      "f:3:75: ota.software has public_key and public_key_file; expected one of them"
    ),
    (
      "public_key_file: \"-----BEGIN TOP\"",
      "f:3:60: ota.software.public_key_file is no path (not shown); expected an absolute path such as "
        + "/etc/baudgate/ota.pub"
    ),
    (
      "public_key_file: /nowhere/k",
      "f:3:60: ota.software.public_key_file: /nowhere/k cannot be read: No such file or directory"
    ),
    (
      "private_key: TOP",
      "f:3:43: unknown key \"private_key\" in ota.software; whoever can read a private key can sign packages, it belongs "
        + "on no board; openssl pkey -in KEY -pubout writes the public one"
    ),
  ]) func refusesWhatIsNoKey(_ option: String, _ message: String) {
    #expect(errors(Self.file(option)) == [message])
  }

  @Test(arguments: [(0o644, true), (0o640, true), (0o664, false), (0o646, false)])
  func warnsOfAKeyOthersMayChange(_ mode: Int, _ isFine: Bool) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(Self.key, to: "ota.pub", mode: mode)
    let warning =
      "f:3:60: warning: ota.software.public_key_file: \(path) has mode 0\(String(mode, radix: 8)), others may change it; "
      + "chmod 644 \(path)"
    #expect(try load(Self.file("public_key_file: \(path)")).get().warnings == (isFine ? [] : [warning]))
  }

  /// An empty key fits no signature; `nil` would ask for none.
  @Test func whoOnlyAsksTheDaemonReadsNoKey() throws {
    var surroundings = Surroundings()
    surroundings.readsTokens = false
    let configuration = try load(Self.file("public_key_file: /nowhere/k"), in: surroundings).get()
    #expect(configuration.ota.software?.publicKey == [])
  }

  // MARK: Other sections

  @Test func warnsOfPackagesThatNeverCome() throws {
    #expect(
      try load(Self.file("chunk_size: 1KB") + "downlink: {shared_attributes: off}\n").get().warnings == [
        "f:3:1: warning: ota takes packages, but downlink.shared_attributes is off and none will be assigned"
      ])
    #expect(try load(Self.file("chunk_size: 1KB") + "downlink: {shared_attributes: 5m}\n").get().warnings.isEmpty)
  }

  @Test func theIntegrationAssignsNoPackages() {
    let text = "server: {url: https://h, transport: http_integration}\ndevice: {name: g, token: K}\nota: {}\n"
    #expect(
      errors(text) == ["f:3:1: ota needs server.transport device_api: the HTTP integration only takes readings"])
  }
}
