import Configuration
import Foundation
import Hardware
import Queue
import Sensors
import Telemetry
import Testing
import ThingsBoard

/// What is in `etc/baudgate`, and that it does what its comments say.
@Suite struct ShippedFileTests {
  static let directory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("etc/baudgate").path

  private static func text(_ name: String) throws -> String {
    try String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)
  }

  @Test func theConfigurationIsValidAndSaysWhatIsMissing() throws {
    let configuration = try GatewayConfiguration.load(path: "\(Self.directory)/baudgate.yaml").get()
    #expect(configuration.sensors.map(\.name) == ["climate"])
    #expect(configuration.warnings.count == 1)
    #expect(
      configuration.warnings.first?.hasSuffix(
        "warning: device.token is still CHANGE_ME, which no server knows; put the device's token there") == true)
  }

  /// `#key: value` with the # removed: an option in the comments is an option of the program, with its default.
  @Test func everyOptionInTheCommentsIsValidAndShowsTheDefault() throws {
    let shipped = try Self.text("baudgate.yaml")
    let lines = shipped.split(separator: "\n", omittingEmptySubsequences: false).map { line -> Substring in
      let indentation = line.prefix { $0 == " " }
      let rest = line.dropFirst(indentation.count)
      guard rest.hasPrefix("#"), let second = rest.dropFirst().first, second.isLetter || second == "-" else {
        return line
      }
      return indentation + rest.dropFirst()
    }
    let everything = lines.joined(separator: "\n")
    let plain = try load(shipped).get()
    let full = try load(everything).get()
    #expect(full.upload == plain.upload)
    #expect(full.upload == UploadOptions())
    #expect(full.queue.maxSize == QueueOptions().maxSize)
    #expect(full.queue.persistAfter == QueueOptions().persistAfter)
    #expect(full.queue.memory == QueueOptions().memory)
    #expect(full.queue.hotDirectory == "/run/baudgate")
    #expect(full.gpio.lines.map(\.name) == ["relay", "door", "water", "pump-running"])
    #expect(full.gpio.lines.map(\.device) == [nil, nil, nil, "pump"])
    #expect(full.gpio.lines[2].meter == GPIOMeter(.count) && full.gpio.lines[2].poll == full.gpio.lines[0].poll)
    #expect(full.downlink == plain.downlink)
    #expect(full.server.transport == plain.server.transport)
    #expect(full.server.link == plain.server.link)
    #expect(full.server.tls == TLSOptions())
    #expect(full.server.proxy.exceptions.count == 3)
    #expect(full.attributes.map(\.value) == [.string("north"), .long(2)])
    #expect(full.rpc.runTimeLimit == RPCOptions().runTimeLimit)
    #expect(full.rpc.alias.keys.sorted() == ["modemOff"])
    #expect(full.rpc.run.keys.sorted() == ["restart-modem"])
    #expect(full.rpc.calls.map(\.name) == ["weather"])
    #expect(full.claim?.atBoot == ClaimOptions().atBoot)
    #expect(full.logLevel == plain.logLevel)
    let silent = full.ports.first?.options.silent.map(\.run)
    #expect(silent == ["reopen", "usb-reset"])
    #expect(full.ports.first?.options.path == plain.ports.first?.options.path)
    #expect(full.ports.first?.options.notation == plain.ports.first?.options.notation)
    #expect(full.ports.first?.options.hangUpOnClose == plain.ports.first?.options.hangUpOnClose)
    #expect(full.ports.first?.options.bus == BusOptions() && full.ports.first?.options.isLowLatency == false)
    #expect(full.unreachable == [RecoveryStep(after: .seconds(6 * 3600), run: "reboot")])
    #expect(full.devices.map(\.device.name) == ["pump"])
    #expect(full.devices.first?.downlink == plain.downlink)
    #expect(full.sensors.first?.isEnabled == true)
    var firmware = PackageOptions(install: ["/usr/lib/baudgate/install-firmware", "{file}"])
    firmware.rollback = ["/usr/lib/baudgate/restore-firmware"]
    firmware.versionFile = "/etc/board-version"
    #expect(full.ota.firmware == firmware)
    #expect(full.ota.software == PackageOptions(install: ["/usr/bin/dpkg", "--install", "--force-confold", "{file}"]))
    #expect(plain.ota == OTAOptions() && plain.devices.isEmpty && plain.unreachable.isEmpty)
    #expect(full.stateDirectory == GatewayConfiguration.defaultStateDirectory)
    #expect(full.runtimeDirectory == GatewayConfiguration.defaultRuntimeDirectory)
    #expect(full.controlSocket == "/run/baudgate/control.sock")
    #expect(full.sensors.first?.prefix == false)
    #expect(full.sensors.first?.report == .telemetry)
    #expect(full.sensors.first?.staleAfter == .seconds(300))
    for option in [
      "name:", "state_directory:", "runtime_directory:", "baud:", "data_bits:", "parity:", "stop_bits:", "flow:",
      "hupcl:", "low_latency:", "gap:", "timeout:", "retries:", "prefix:", "report:", "units:", "filters:", "scale:",
      "offset:", "stale_after:", "max_line:",
      "interval:",
      "max_batch:", "max_bytes:", "max_size:", "persist_after:", "memory:", "hot_directory:", "level:", "socket:",
      "chip:", "safe_after:", "interlocks:", "lines:", "relay:", "door:", "transport:", "link:", "tls:", "min_version:",
      "proxy:", "no_proxy:",
      "rpc:", "shared_attributes:", "alias:",
      "edge:", "rate:", "poll:", "persist_every:",
      "unreachable:", "pump:", "token:", "downlink:", "attributes:", "silent:", "enabled:", "firmware:", "software:",
      "install:", "rollback:", "version_file:", "chunk_size:", "time_limit:", "confirm_within:",
      "bind:", "run:", "run_time_limit:", "call:", "secret:", "duration:", "at_boot:",
    ] {
      #expect(shipped.contains("#" + option), "\(option) is not in the shipped file")
    }
    // Without a default, or only in another's place: in the words of a comment.
    for option in [
      "match:", "ca:", "cert:", "key:", "pin:", "token_file:", "credential:", "provision:", "button:", "device:",
      "public_key:",
      "public_key_file:", "units:", "initial_total:", "measure:", "rs485:", "dtr:", "rts:",
    ] {
      #expect(shipped.contains("#   " + option), "\(option) is not in the shipped file")
    }
  }

  struct Example: CustomTestStringConvertible {
    let file: String
    let readings: [String]
    var testDescription: String { file }
  }

  /// The line in each example's comment, and what becomes of it.
  static let examples = [
    Example(
      file: "template.yaml",
      readings: [
        #"{"temperature":21.5,"humidity":40.2,"readings":7,"door":"open"}"#
      ]),
    Example(
      file: "csv.yaml",
      readings: [
        #"{"pressure":101320.0,"temperature":21.2,"gusts":17,"state":"ok"}"#
      ]),
    Example(
      file: "key_value.yaml",
      readings: [
        #"{"heating.U":230.1,"heating.I":0.42,"heating.P":96.6,"heating.MODE":"eco"}"#,
        #"{"boiler.U":230.1,"boiler.I":0.42,"boiler.P":96.6,"boiler.MODE":"eco"}"#,
      ]),
    Example(
      file: "json.yaml",
      readings: [
        #"{"station":{"temperature":21.5,"counter":7,"valve":true,"position":{"x":1,"y":2}}}"#
      ]),
    Example(
      file: "regex.yaml",
      readings: [
        #"{"number":3,"level":1.82,"trend":"rising","pump":"ON"}"#
      ]),
    Example(
      file: "ports.yaml",
      readings: [
        #"{"cellar.temperature":21.5}"#,
        #"{"attic.temperature":21.5}"#,
      ]),
    Example(
      file: "filters.yaml",
      readings: [
        #"{"temperature":21.5,"humidity":40,"door":"open"}"#
      ]),
  ]

  @Test(arguments: examples) func readsTheLineInItsComment(_ example: Example) throws {
    let directory = try TemporaryDirectory()
    let token = try directory.write("A1\n", to: "token")
    let text = try Self.text("examples/\(example.file)").replacing("/etc/baudgate/token", with: token)
    let configuration = try load(text).get()
    #expect(configuration.warnings.isEmpty)
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("#   ") }).dropFirst(4)
    var found: [String] = []
    for port in configuration.ports {
      let sensors = configuration.sensors.filter { $0.port == port.name }
      var decoder = try #require(SensorProtocols.decoder(for: sensors))
      var output = DecoderOutput()
      decoder.portOpened()
      decoder.feed(Array("\n\(line)\n".utf8), at: CaptureTime(milliseconds: 1, boottime: 1), into: &output)
      #expect(output.faults.map(\.fault.message) == [])
      var filters = sensors.map(SensorFilters.init)
      for (sensor, var sample) in output.samples {
        filters[sensor].apply(to: &sample)
        var body: [UInt8] = []
        _ = appendValues(sample.readings, to: &body) { reading, _ in Issue.record("\(reading) cannot be sent") }
        found.append(String(decoding: body, as: UTF8.self))
      }
    }
    #expect(found == example.readings)
  }

  /// An example about something else than lines, with the files it names written out.
  private static func example(_ name: String, in directory: TemporaryDirectory) throws -> GatewayConfiguration {
    for file in ["token", "pump-token", "provision-key", "provision-secret", "claim-secret"] {
      _ = try directory.write("\(file)\n", to: file, mode: 0o640)
    }
    _ = try directory.write(OTATests.pem("PUBLIC KEY", OTATests.der), to: "ota.pub", mode: 0o644)
    return try load(text("examples/\(name)").replacing("/etc/baudgate/", with: directory.path + "/")).get()
  }

  @Test func provisioningAsksForATokenOverALinkThatCosts() throws {
    let directory = try TemporaryDirectory()
    let configuration = try Self.example("provisioning.yaml", in: directory)
    #expect(
      configuration.device.identity
        == .provision(ProvisionOptions(key: Secret("provision-key"), secret: Secret("provision-secret"))))
    #expect(configuration.device.name == "greenhouse-{serial_number}")
    #expect(configuration.upload.interval == MeteredLink.uploadInterval)
    #expect(configuration.downlink.rpc == .every(MeteredLink.rpcInterval))
    #expect(configuration.claim?.secret == Secret("claim-secret"))
    #expect(configuration.claim?.atBoot == true)
    #expect(configuration.warnings.isEmpty)
  }

  @Test func commandsReachTheBoardsOwnPins() throws {
    let directory = try TemporaryDirectory()
    let configuration = try Self.example("commands.yaml", in: directory)
    #expect(configuration.gpio.lines.map(\.name) == ["relay", "siren", "door", "claim"])
    #expect(configuration.rpc.bind == ["setValue": "relay", "getValue": "relay", "checkStatus": "relay"])
    #expect(configuration.rpc.alias.count == 4)
    #expect(configuration.rpc.calls.map(\.values.count) == [1])
    #expect(configuration.claim?.button == "claim")
    #expect(configuration.downlink.sharedAttributes == .off)
    #expect(configuration.warnings.isEmpty)
  }

  @Test func outputsEndSafe() throws {
    let directory = try TemporaryDirectory()
    let configuration = try Self.example("gpio-outputs.yaml", in: directory)
    #expect(configuration.gpio.lines.map(\.name) == ["up", "down", "pump", "cooling", "light", "modem"])
    #expect(configuration.gpio.lines.map(\.safe) == [.off, .off, .off, .on, .hold, .off])
    #expect(
      configuration.gpio.lines.map(\.safeAfter)
        == [.seconds(60), .seconds(60), .seconds(600), .seconds(600), nil, nil])
    #expect(configuration.gpio.interlocks == [GPIOInterlock(["up", "down"], gap: .milliseconds(500))])
    #expect(configuration.warnings.isEmpty)
  }

  @Test func countersHaveTheirTotals() throws {
    let directory = try TemporaryDirectory()
    let lines = try Self.example("gpio-counters.yaml", in: directory).gpio.lines
    #expect(lines.map(\.name) == ["power", "water", "rain", "fan", "co2_pulse"])
    #expect(lines.map(\.selector.description) == ["22", "GPIO27", "3", "24", "25"])
    #expect(lines.map(\.meter?.quantity) == [.count, .count, .count, .frequency, .pulseWidth])
    #expect(
      lines.map(\.keys) == [
        ["power", "power_pulses", "power_rate"], ["water", "water_pulses", "water_rate"], ["rain"], ["fan"],
        ["co2_pulse"],
      ])
    #expect(lines[1].meter?.initialTotal == 1234.56 && lines[1].meter?.persistEvery == 1)
    #expect(lines[2].poll == .milliseconds(10))
  }

  @Test func devicesHaveTheirOwn() throws {
    let directory = try TemporaryDirectory()
    let configuration = try Self.example("devices.yaml", in: directory)
    #expect(configuration.devices.map(\.name) == ["pump", "tank"])
    #expect(configuration.devices.map(\.device.name) == ["pump", "tank-{serial_number}"])
    #expect(configuration.devices.map(\.downlink.rpc) == [.on, .off])
    #expect(configuration.devices.map(\.attributes.count) == [1, 0])
    #expect(configuration.devices.map(\.rpc.bind.count) == [2, 0])
    #expect(configuration.enabledSensors.map(\.device) == ["pump", "tank"])
    #expect(configuration.gpio.lines.map(\.device) == ["pump", nil])
    #expect(configuration.ports.first?.options.silent.map(\.run) == ["reopen", "usb-reset"])
    #expect(configuration.warnings.isEmpty)
  }

  @Test func linesAreSetUpAsTheirHardwareWants() throws {
    let directory = try TemporaryDirectory()
    let configuration = try Self.example("lines.yaml", in: directory)
    let ports = Dictionary(uniqueKeysWithValues: configuration.ports.map { ($0.name, $0.options) })
    #expect(ports["field"]?.rs485?.delayAfter == .milliseconds(1))
    #expect(ports["field"]?.rs485?.rtsOnSend == true && ports["field"]?.notation == "9600 8N1")
    #expect(ports["head"]?.dtr == true && ports["head"]?.rts == false)
    #expect(ports["cellar"]?.location == .tcp(host: "192.0.2.7", port: 4001))
    #expect(configuration.warnings == [])
  }

  @Test func updatesAreSignedAndTheLadderEndsInAReboot() throws {
    let directory = try TemporaryDirectory()
    let configuration = try Self.example("updates.yaml", in: directory)
    #expect(configuration.ota.firmware?.publicKey == OTATests.bytes)
    #expect(configuration.ota.firmware?.chunkSize == 16 << 10)
    #expect(configuration.ota.software?.versionFile == nil)
    #expect(configuration.unreachable.map(\.run) == ["restart-modem", "reboot"])
    #expect(configuration.warnings == [])
  }

  @Test func sensorsOfTheKernelNeedNoPort() throws {
    let directory = try TemporaryDirectory()
    let configuration = try Self.example("sysfs.yaml", in: directory)
    #expect(configuration.ports.isEmpty)
    #expect(configuration.sensors.map(\.protocolName) == ["w1", "iio", "iio", "hwmon", "thermal"])
    #expect(configuration.sensors.allSatisfy { SensorProtocols.fileSensor($0) != nil })
    #expect(configuration.sensors.first?.keys?.map(\.name) == ["supply", "return"])
    #expect(configuration.warnings.isEmpty)
  }

  /// An example with units on a bus; maps are those of the source tree.
  private static func bus(_ name: String) throws -> GatewayConfiguration {
    let directory = try TemporaryDirectory()
    _ = try directory.write("token\n", to: "token", mode: 0o640)
    var surroundings = Surroundings()
    surroundings.mapDirectories = ["\(Self.directory)/maps"]
    let text = try text("examples/\(name)").replacing("/etc/baudgate/token", with: directory.path + "/token")
    return try load(text, in: surroundings).get()
  }

  /// The questions of a sensor's first cycle, when all are refused with what mends nothing.
  private static func questions(_ sensor: SensorOptions) throws -> Int {
    var poll = try #require(SensorProtocols.poll(of: sensor))
    poll.begin()
    var count = 0
    while let request = poll.next() {
      count += 1
      poll.take(.success([request.bytes[1] | 0x80, 4]), at: CaptureTime(milliseconds: 1, boottime: 1))
    }
    return count
  }

  @Test func modbusUnitsAreReadInFewQuestions() throws {
    let configuration = try Self.bus("modbus.yaml")
    #expect(configuration.warnings == [])
    #expect(configuration.sensors.map(\.name) == ["boiler", "relays", "everybody"])
    #expect(try configuration.sensors.map(Self.questions) == [5, 4, 0])
    #expect(configuration.sensors.first?.units["flow"] == "°C")
    let settings = try #require(configuration.sensors.first?.settings as? any PolledSettings)
    // The command in its comment: unit 2, function 6, register 30, 215.
    var exchange = try settings.writing("setpoint", .double(21.5))
    #expect(exchange.next()?.bytes.dropLast(2) == [2, 6, 0, 30, 0, 215])
  }

  @Test func metersComeFromMaps() throws {
    let configuration = try Self.bus("meters.yaml")
    #expect(configuration.warnings == [])
    #expect(configuration.sensors.map { $0.keys?.count } == [1, 3, 7, 1])
    #expect(configuration.sensors[0].settings.valueNames?.count == 6)
    #expect(configuration.sensors[1].units["power"] == "kW")
    #expect(configuration.sensors[3].protocolName == "modbus_ascii")
  }

  @Test func aMapIsLookedForBesideTheFileFirst() throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: directory.path + "/maps", withIntermediateDirectories: true)
    _ = try directory.write("registers: {own: {input: 0}}\n", to: "maps/sdm120.yaml")
    _ = try directory.write("registers: {broken: {input: 0, typ: int16}}\n", to: "maps/broken.yaml")
    func file(_ map: String) throws -> Result<GatewayConfiguration, ConfigurationErrors> {
      let text =
        Sample.head
        + "ports: {p: {path: /dev/ttyUSB0}}\nsensors: {s: {port: p, protocol: modbus_rtu, unit: 1, map: \(map)}}\n"
      let path = try directory.write(text, to: "baudgate.yaml")
      var surroundings = Surroundings()
      surroundings.mapDirectories = ["\(Self.directory)/maps"]
      return GatewayConfiguration.load(path: path, in: surroundings)
    }
    #expect(try file("sdm120").get().sensors.first?.keys?.map(\.name) == ["own"])
    #expect(try file("pzem004t").get().sensors.first?.keys?.count == 7)
    #expect(try file("\(Self.directory)/maps/sdm630.yaml").get().sensors.first?.keys?.count == 54)
    func errors(_ map: String) throws -> [String] {
      guard case .failure(let errors) = try file(map) else { return [] }
      return errors.lines.map { $0.replacing(directory.path, with: "D").replacing(Self.directory, with: "E") }
    }
    #expect(
      try errors("broken") == [
        "D/maps/broken.yaml:1:32: unknown key \"typ\" in registers.broken; did you mean \"type\"?"
      ])
    #expect(
      try errors("sdm12") == [
        "D/baudgate.yaml:4:60: sensors.s.map is \"sdm12\"; no sdm12.yaml in D/maps or E/maps; did you mean \"sdm120\"?"
      ])
    #expect(
      try errors("/nowhere.yaml") == [
        "D/baudgate.yaml:4:60: sensors.s.map is \"/nowhere.yaml\"; /nowhere.yaml cannot be read: No such file or directory"
      ])
    #expect(
      try errors("../x") == [
        "D/baudgate.yaml:4:60: sensors.s.map is \"../x\"; expected a map's name such as sdm120, or an absolute path"
      ])
  }

  @Test func everyExampleIsInTheTable() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: "\(Self.directory)/examples")
    #expect(
      files.sorted()
        == (Self.examples.map(\.file) + [
          "commands.yaml",
          "devices.yaml",
          "gpio-counters.yaml",
          "gpio-outputs.yaml",
          "lines.yaml",
          "meters.yaml",
          "modbus.yaml",
          "provisioning.yaml",
          "sysfs.yaml",
          "updates.yaml",
        ]).sorted()
    )
  }
}
