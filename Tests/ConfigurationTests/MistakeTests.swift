import Configuration
import Testing

/// A row per mistake a person can make, with the exact words they get.
@Suite struct MistakeTests {
  static let sections = [
    Row("an empty file", "", "f:1:1: the file is empty"),
    Row(
      "nothing said", "{}\n", "f:1:1: the document has no \"server\", which is required",
      "f:1:1: the document has no \"device\", which is required"),
    Row(
      "a section misspelt", "sever: {url: http://127.0.0.1}\n" + Sample.device,
      "f:1:1: unknown key \"sever\"; did you mean \"server\"?"),
    Row(
      "a section unknown", Sample.head + "mqtt: {}\n",
      "f:3:1: unknown key \"mqtt\"; expected server, device, state_directory, runtime_directory, ports, sensors, "
        + "gpio, upload, downlink, queue, attributes, rpc, …"),
    Row("no url", "server: {}\n" + Sample.device, "f:1:9: server has no \"url\", which is required"),
    Row(
      "a relative state directory", Sample.head + "state_directory: lib\n",
      "f:3:18: state_directory is \"lib\"; expected an absolute path such as /var/lib/baudgate"),
    Row(
      "the root as state directory", Sample.head + "state_directory: /\n",
      "f:3:18: state_directory is \"/\"; expected an absolute path such as /var/lib/baudgate"),
    Row(
      "batches too large", Sample.head + "upload: {max_batch: 20000, interval: 10ms, max_bytes: 1GB}\n",
      "f:3:21: upload.max_batch is \"20000\"; expected an integer from 1 to 10000",
      "f:3:38: upload.interval is \"10ms\"; expected a duration from 100ms to 1h such as 250ms, 5s, 10m or 1h",
      "f:3:55: upload.max_bytes is \"1GB\"; expected a size from 1KB to 8MB such as 64KB or 256MB"),
    Row(
      "a queue too small", Sample.head + "queue: {max_size: 1KB, persist_after: 2h, memry: 1MB}\n",
      "f:3:19: queue.max_size is \"1KB\"; expected a size from 64KB to 64GB such as 64KB or 256MB",
      "f:3:39: queue.persist_after is \"2h\"; expected a duration from 0s to 1h such as 250ms, 5s, 10m or 1h",
      "f:3:43: unknown key \"memry\" in queue; did you mean \"memory\"?"),
    Row(
      "a level unknown", Sample.head + "log: {level: warn}\n",
      "f:3:14: log.level is \"warn\"; expected debug, info, notice, warning or error"),
    Row(
      "a socket's path too long", Sample.head + "control: {socket: /\(String(repeating: "x", count: 107))}\n",
      "f:3:19: control.socket is longer than the 107 bytes a unix socket may have"),
  ]

  static let ports = [
    Row(
      "ports without number", Sample.head + "ports: {\((0...256).map { "p\($0): {}" }.joined(separator: ","))}\n",
      "f:3:8: ports has 257 entries; at most 256 are possible"),
    Row("no path", Sample.head + "ports: {a: {baud: 9600}}\n", "f:3:12: ports.a has no \"path\", which is required"),
    Row(
      "a relative path", Sample.head + "ports: {a: {path: ttyUSB0}}\n",
      "f:3:19: ports.a.path is \"ttyUSB0\"; expected an absolute path such as /dev/ttyUSB0"),
    Row(
      "no baud", Sample.head + "ports: {a: {path: /d, baud: fast}}\n",
      "f:3:29: ports.a.baud is \"fast\"; expected an integer from 50 to 20000000"),
    Row(
      "a parity nearly right", Sample.head + "ports: {a: {path: /d, parity: evn}}\n",
      "f:3:31: ports.a.parity is \"evn\"; expected none, even, odd, mark or space; did you mean \"even\"?"),
    Row(
      "data and stop bits", Sample.head + "ports: {a: {path: /d, data_bits: 9, stop_bits: 3}}\n",
      "f:3:34: ports.a.data_bits is \"9\"; expected an integer from 5 to 8",
      "f:3:48: ports.a.stop_bits is \"3\"; expected an integer from 1 to 2"),
    Row(
      "a flow control unknown", Sample.head + "ports: {a: {path: /d, flow: rtscts}}\n",
      "f:3:29: ports.a.flow is \"rtscts\"; expected none, rts_cts or xon_xoff; did you mean \"rts_cts\"?"),
    Row(
      "another program's word", Sample.head + "ports: {a: {path: /d, baudrate: 9600}}\n",
      "f:3:23: unknown key \"baudrate\" in ports.a; the key is \"baud\""),
    Row(
      "text for a port", Sample.head + "ports:\n  a: /dev/ttyUSB0\n",
      "f:4:6: ports.a is \"/dev/ttyUSB0\"; expected keys, each on a line \"key: value\""),
    Row(
      "one device for two ports", Sample.head + "ports:\n  a: {path: /d}\n  b: {path: /d}\n",
      "f:5:13: ports.b.path is \"/d\", which ports.a on line 4 has already"),
    Row(
      "a name with a space", Sample.head + "ports: {\"a b\": {path: /d}}\n",
      "f:3:9: \"a b\" cannot be a name; expected up to 64 letters, digits, _ . - with a letter, digit or _ first"),
    Row(
      "a name that is a directory", Sample.head + "ports: {..: {path: /d}}\n",
      "f:3:9: \"..\" cannot be a name; expected up to 64 letters, digits, _ . - with a letter, digit or _ first"),
  ]

  static let sensors = [
    Row(
      "sensors without number",
      Sample.head + "sensors: {\((0...4096).map { "s\($0): {}" }.joined(separator: ","))}\n",
      "f:3:10: sensors has 4097 entries; at most 4096 are possible"),
    Row(
      "a port that is not there",
      Sample.head + Sample.sensors.replacing("port: arduino", with: "port: ardiuno"),
      "f:6:19: sensors.climate.port is \"ardiuno\"; ports has arduino; did you mean \"arduino\"?"),
    Row(
      "a port far off", Sample.head + Sample.sensors.replacing("port: arduino", with: "port: x"),
      "f:6:19: sensors.climate.port is \"x\"; ports has arduino"),
    Row(
      "no ports at all", Sample.head + "sensors: {s: {port: x, protocol: line, template: \"{t}\"}}\n",
      "f:3:21: sensors.s.port is \"x\"; there are no ports"),
    Row(
      "a refused port is still a name",
      Sample.head + Sample.sensors.replacing("/dev/ttyUSB0", with: "tty"),
      "f:4:19: ports.arduino.path is \"tty\"; expected an absolute path such as /dev/ttyUSB0"),
    Row(
      "a sensor's name with a slash", Sample.head + Sample.sensors.replacing("climate", with: "a/b"),
      "f:6:3: \"a/b\" cannot be a name; expected up to 64 letters, digits, _ . - with a letter, digit or _ first"),
    Row(
      "one key from two sensors",
      Sample.head + Sample.sensors + "  attic: {port: arduino, protocol: line, template: \"A={t}\"}\n",
      "f:7:3: sensors.attic sends the key \"t\", which sensors.climate on line 6 sends already; "
        + "set prefix: true on one of them"),
    Row(
      "a prefixed key that another sensor sends",
      Sample.head + Sample.sensors.replacing("\"T={t}\"", with: "\"T={a.t}\"")
        + "  a: {port: arduino, protocol: line, prefix: true, template: \"A={t}\"}\n",
      "f:7:3: sensors.a sends the key \"a.t\", which sensors.climate on line 6 sends already; "
        + "set prefix: true on one of them"),
  ]

  static let later = [
    Row(
      "a capture", Sample.head + "ports: {a: {path: \"capture:FILE\", speed: full}}\n",
      "f:3:19: ports.a.path: \"capture:\" is not supported yet by this version (playing a capture back)",
      "f:3:35: ports.a.speed is not supported yet by this version (playing a capture back)")
  ]

  @Test(arguments: sections + ports + sensors + later) func reports(_ row: Row) {
    #expect(errors(row.text) == row.expected)
  }

  @Test func aSensorThatSendsByItselfHasNoInterval() {
    #expect(
      errors(Sample.head + Sample.sensors.replacing("protocol: line", with: "protocol: line, interval: 1s")) == [
        "f:6:54: sensors.climate.interval does not belong here: line sends by itself"
      ])
  }

  @Test(arguments: ["sml", "frame"]) func protocolsOfLaterVersions(_ name: String) {
    #expect(
      errors(Sample.head + Sample.sensors.replacing("protocol: line", with: "protocol: \(name)")) == [
        "f:6:38: sensors.climate.protocol \"\(name)\" is not supported yet by this version"
      ])
  }

  @Test func everythingAtOnceInTheOrderOfTheFile() {
    let text = """
      server: {url: ftp://h}
      device: {name: "{host}"}
      ports:
        arduino: {path: /dev/ttyUSB0, boud: 9600}
      sensors:
        climate: {port: ardiuno, protocol: lines}
      upload: {interval: 5}
      """
    #expect(
      errors(text) == [
        "f:1:15: server.url does not begin with http:// or https://; expected http(s)://HOST[:PORT][/BASE]",
        "f:2:9: device has no \"token\", \"token_file\", \"credential\" or \"provision\"; one is required",
        "f:2:16: device.name has \"{host}\"; expected {hostname}, {machine_id}, {serial_number} or {mac}",
        "f:4:33: unknown key \"boud\" in ports.arduino; did you mean \"baud\"?",
        "f:6:19: sensors.climate.port is \"ardiuno\"; ports has arduino; did you mean \"arduino\"?",
        "f:6:38: sensors.climate.protocol is \"lines\"; expected one of line, modbus_rtu, modbus_ascii, w1, iio, hwmon or "
          + "thermal; did you mean \"line\"?",
        "f:7:20: upload.interval is \"5\"; expected a duration from 100ms to 1h such as 250ms, 5s, 10m or 1h",
      ])
  }
}
