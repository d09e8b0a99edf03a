import Configuration
import Hardware
import Queue
import Testing
import ThingsBoard

@Suite struct LoadingTests {
  @Test func readsEveryOption() throws {
    let text = """
      server: {url: "HTTPS://TB.example.com:8443/base/"}
      device: {name: "green-{hostname}-{mac}", token: A1_TEST~TOKEN}
      state_directory: /s
      runtime_directory: /r
      ports:
        a: {path: /dev/ttyUSB0, baud: 250000, data_bits: 7, parity: mark, stop_bits: 2, flow: rts_cts, hupcl: true}
        b: {path: /dev/ttyUSB1}
      sensors:
        one: {port: a, protocol: line, template: "T={t}"}
        two: {port: b, protocol: line, template: "T={t}", prefix: true}
      upload: {interval: 250ms, max_batch: 7, max_bytes: 2KB}
      queue: {max_size: 1MB, persist_after: 0s, memory: 64KB, hot_directory: /hot}
      log: {level: debug}
      control: {socket: /x/y.sock}
      """
    let configuration = try load(text).get()
    #expect(configuration.server.url.description == "https://tb.example.com:8443/base")
    #expect(configuration.device.name == "green-{hostname}-{mac}")
    #expect(configuration.device.secrets.map { $0.reveal() } == ["A1_TEST~TOKEN"])
    #expect(configuration.stateDirectory == "/s")
    #expect(configuration.runtimeDirectory == "/r")
    #expect(configuration.controlSocket == "/x/y.sock")
    #expect(configuration.ports.map(\.name) == ["a", "b"])
    #expect(
      configuration.ports.map(\.options) == [
        SerialOptions(
          path: "/dev/ttyUSB0", baud: 250_000, dataBits: 7, parity: .mark, stopBits: 2, flow: .rtsCTS,
          hangUpOnClose: true),
        SerialOptions(path: "/dev/ttyUSB1"),
      ])
    #expect(configuration.sensors.map(\.name) == ["one", "two"])
    #expect(configuration.upload.interval == .milliseconds(250))
    #expect(configuration.upload.maxBatch == 7)
    #expect(configuration.upload.maxBytes == 2048)
    #expect(
      configuration.queue
        == QueueOptions(maxSize: 1 << 20, persistAfter: .zero, memory: 64 << 10, hotDirectory: "/hot"))
    #expect(configuration.logLevel == .debug)
    #expect(configuration.warnings.isEmpty)
  }

  @Test func hasDefaults() throws {
    let configuration = try load(Sample.head + Sample.sensors).get()
    #expect(configuration.stateDirectory == "/var/lib/baudgate")
    #expect(configuration.runtimeDirectory == nil)
    #expect(configuration.upload == UploadOptions())
    #expect(configuration.upload.interval == .seconds(1))
    #expect(configuration.upload.maxBatch == 500)
    #expect(configuration.upload.maxBytes == 524_288)
    #expect(configuration.queue == QueueOptions())
    #expect(configuration.queue.maxSize == 268_435_456)
    #expect(configuration.logLevel == .info)
    #expect(configuration.device.name == nil)
    #expect(configuration.ports.map(\.options) == [SerialOptions(path: "/dev/ttyUSB0", baud: 9600)])
  }

  @Test func takesDirectoriesFromTheServiceManager() throws {
    let surroundings = Surroundings(stateDirectory: "/e/state", runtimeDirectory: "/e/run")
    let configuration = try load(Sample.head, in: surroundings).get()
    #expect(configuration.stateDirectory == "/e/state")
    #expect(configuration.runtimeDirectory == "/e/run")
    #expect(configuration.controlSocket == "/e/run/control.sock")
  }

  @Test func theFileGoesBeforeTheServiceManager() throws {
    let surroundings = Surroundings(stateDirectory: "/e/state", runtimeDirectory: "/e/run")
    let text = Sample.head + "state_directory: /f/state\nruntime_directory: /f/run\n"
    let configuration = try load(text, in: surroundings).get()
    #expect(configuration.stateDirectory == "/f/state")
    #expect(configuration.controlSocket == "/f/run/control.sock")
  }

  @Test func withoutARuntimeDirectoryTheSocketIsWithTheState() throws {
    let configuration = try load(Sample.head + "state_directory: /f/state\n").get()
    #expect(configuration.controlSocket == "/f/state/control.sock")
  }

  @Test func sectionsMayBeEmpty() throws {
    let text =
      Sample.head + "ports:\nsensors:\ngpio:\nupload:\ndownlink:\nqueue:\nattributes:\nrpc:\nclaim:\nlog:\ncontrol:\n"
    let configuration = try load(text).get()
    #expect(configuration.upload == UploadOptions())
    #expect(configuration.downlink == DownlinkOptions())
    #expect(configuration.attributes.isEmpty)
    #expect(configuration.rpc == RPCOptions())
    #expect(configuration.claim == nil)
  }

  static let warned = [
    Row(
      "a token nobody filled in", Sample.server + "device: {token: CHANGE_ME}\n" + Sample.sensors,
      "f:2:17: warning: device.token is still CHANGE_ME, which no server knows; put the device's token there"),
    Row(
      "no sensors", Sample.head, "f:1:1: warning: there are no sensors; nothing will be sent"),
    Row(
      "a port without a sensor, and no commands",
      Sample.head + Sample.sensors.replacing("sensors:", with: "  spare: {path: /d}\nsensors:")
        + "downlink: {rpc: off}\n",
      "f:5:3: warning: ports.spare has no sensor and, without commands, stays closed"),
    Row(
      "http beyond this machine", "server: {url: http://192.0.2.1}\n" + Sample.device + Sample.sensors,
      "f:1:15: warning: server.url: over http the token travels unencrypted; prefer https"),
  ]

  @Test(arguments: warned) func warns(_ row: Row) throws {
    #expect(try load(row.text).get().warnings == row.expected)
  }

  /// A command may write to it.
  @Test(arguments: ["on", "5m"]) func aPortWithoutASensorIsNoMistakeWhereCommandsCome(_ rpc: String) throws {
    let text =
      Sample.head + Sample.sensors.replacing("sensors:", with: "  spare: {path: /d}\nsensors:")
      + "downlink: {rpc: \(rpc)}\n"
    let configuration = try load(text).get()
    #expect(configuration.warnings.isEmpty)
    #expect(configuration.takesCommands)
  }

  @Test(arguments: [
    ("http://127.0.0.1:8080", "http://127.0.0.1:8080"), ("https://h/", "https://h"),
    ("http://[::1]:80", "http://[::1]:80"),
    ("https://A.Example/x/y//", "https://a.example/x/y"), ("http://h_1.local/a%20b", "http://h_1.local/a%20b"),
  ]) func normalisesURLs(_ text: String, _ expected: String) throws {
    #expect(try ServerURL(text).description == expected)
  }
}
