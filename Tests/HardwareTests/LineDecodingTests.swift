import Testing
import YAML

@testable import Hardware

/// `ports.p` with that between its braces, as options and `line:column: message`.
private func decode(_ text: String) -> (options: SerialOptions?, messages: [String]) {
  let diagnostics = Diagnostics(file: "f")
  var options: SerialOptions?
  if let node = YAMLNode.load(Array("{\(text)}".utf8), file: "f", diagnostics: diagnostics),
    var reader = MappingReader(node, path: "ports.p", diagnostics: diagnostics)
  {
    options = SerialOptions(from: &reader)
  }
  return (options, diagnostics.errors.map { "\($0.line):\($0.column): \($0.message)" })
}

/// RS-485, DTR and RTS, latency, buses and serial servers in the file.
@Suite struct LineDecodingTests {
  @Test func defaults() {
    let (options, messages) = decode("path: /dev/ttyS0")
    #expect(messages == [])
    #expect(options == SerialOptions(path: "/dev/ttyS0"))
  }

  @Test func everyOptionIsRead() throws {
    let (options, messages) = decode(
      "path: /dev/ttyS0, dtr: off, low_latency: true, gap: 5ms, timeout: 1s, retries: 0, "
        + "rs485: {rts_on_send: false, receive_own: true, delay_before: 1ms, delay_after: 2ms}")
    #expect(messages == [])
    let read = try #require(options)
    #expect(read.dtr == false && read.rts == nil && read.isLowLatency)
    #expect(read.bus.gap == .milliseconds(5) && read.bus.timeout == .seconds(1) && read.bus.retries == 0)
    let mode = try #require(read.rs485)
    #expect(!mode.rtsOnSend && mode.receivesOwn)
    #expect(mode.delayBefore == .milliseconds(1) && mode.delayAfter == .milliseconds(2))
  }

  @Test func shortForms() {
    for text in ["rs485: true", "rs485: {}", "rs485: {rts_on_send: true}"] {
      #expect(decode("path: /dev/ttyS0, \(text)").options?.rs485 == RS485Options())
    }
    for (word, level) in [("on", true), ("off", false), ("true", true), ("false", false)] {
      #expect(decode("path: /dev/ttyS0, rts: \(word)").options?.rts == level)
    }
  }

  static let mistakes: [(text: String, message: String)] = [
    (
      "path: /dev/ttyS0, rs485: false",
      "1:27: ports.p.rs485 is \"false\"; expected true or keys such as {rts_on_send: true}; without rs485 the mode stays "
        + "as it is"
    ),
    (
      "path: /dev/ttyS0, rs485: {rx_during_tx: true}",
      "1:28: unknown key \"rx_during_tx\" in ports.p.rs485; the key is \"receive_own\""
    ),
    (
      "path: /dev/ttyS0, rs485: {delay_before: 101ms}",
      "1:42: ports.p.rs485.delay_before is \"101ms\"; expected a duration from 0s to 100ms such as 250ms, 5s, 10m or 1h"
    ),
    (
      "path: /dev/ttyS0, rs485: {delay_after: 500us}",
      "1:41: ports.p.rs485.delay_after is \"500us\"; expected whole milliseconds, which is what the kernel knows"
    ),
    ("path: /dev/ttyS0, dtr: up", "1:25: ports.p.dtr is \"up\"; expected on, off, true or false"),
    (
      "path: /dev/ttyS0, rts: on, rs485: true",
      "1:25: ports.p.rts cannot stand beside rs485, by which the kernel moves RTS"
    ),
    (
      "path: /dev/ttyS0, rts: on, flow: rts_cts",
      "1:25: ports.p.rts cannot stand beside flow: rts_cts, by which the kernel moves RTS"
    ),
    (
      "path: /dev/ttyS0, rs485: true, flow: rts_cts",
      "1:39: ports.p.flow rts_cts cannot stand beside rs485: RTS switches the line's driver"
    ),
    ("path: /dev/ttyS0, retries: 11", "1:29: ports.p.retries is \"11\"; expected an integer from 0 to 10"),
    (
      "path: /dev/ttyS0, timeout: 5ms",
      "1:29: ports.p.timeout is \"5ms\"; expected a duration from 10ms to 30s such as 250ms, 5s, 10m or 1h"
    ),
    (
      "path: \"tcp://192.0.2.7:4001\", parity: even",
      "1:40: ports.p.parity means nothing for a serial server, which sets up its line itself; remove it"
    ),
    (
      "path: \"capture:FILE\"",
      "1:8: ports.p.path: \"capture:\" is not supported yet by this version (playing a capture back)"
    ),
  ]

  @Test(arguments: mistakes) func reports(_ text: String, _ message: String) {
    let (options, messages) = decode(text)
    #expect(options == nil)
    #expect(messages == [message])
  }

  @Test(arguments: [
    ("tcp://192.0.2.7:4001", PortLocation.tcp(host: "192.0.2.7", port: 4001)),
    ("tcp://meter-1.example.com:1", .tcp(host: "meter-1.example.com", port: 1)),
    ("tcp://[2001:db8::7]:65535", .tcp(host: "2001:db8::7", port: 65_535)),
    ("tcp://[fe80::1%eth0]:4001", .tcp(host: "fe80::1%eth0", port: 4001)),
  ])
  func serversAreRead(_ text: String, _ location: PortLocation) {
    let (options, messages) = decode("path: \"\(text)\", baud: 19200")
    #expect(messages == [])
    #expect(options?.location == location)
    #expect(options?.path == text)
    #expect(options?.notation == "TCP")
    #expect(options?.baud == 19_200)
  }

  @Test(arguments: [
    "tcp:", "tcp://", "tcp://host", "tcp://:4001", "tcp://host:0", "tcp://host:65536", "tcp://host:04001x",
    "tcp://host:",
    "tcp://2001:db8::7:4001", "tcp://[host]:1", "tcp://[]:1", "tcp://a b:1", "tcp://user@host:1", "tcp://host:1/path",
    "tcp://host:+1", "tcp://\(String(repeating: "a", count: 254)):1",
  ])
  func whatIsNoServerIsRefused(_ text: String) {
    let (options, messages) = decode("path: \"\(text)\"")
    #expect(options == nil)
    #expect(
      messages.map {
        $0.hasSuffix("expected tcp://HOST:PORT such as tcp://192.0.2.7:4001; an IPv6 address stands in [ ]")
      }
        == [true])
  }
}
