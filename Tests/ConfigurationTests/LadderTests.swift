import Configuration
import Hardware
import Testing

/// `server.unreachable` and `ports.NAME.silent`.
@Suite struct LadderTests {
  /// On line 1 `unreachable`, on line 3 `silent` and the programs.
  private static func file(unreachable: String = "[]", silent: String = "[]") -> String {
    """
    server: {url: https://h, unreachable: \(unreachable)}
    device: {token: A1}
    ports: {p: {path: /d, silent: \(silent)}}
    sensors: {s: {port: p, protocol: line, template: "{t}"}}
    rpc: {run: {restart-modem: [/bin/a], power-cycle: [/bin/b]}}

    """
  }

  static let mistakes = [
    Row(
      "a program nearly right", file(unreachable: "[{after: 30m, run: restart-modm}]"),
      "f:1:58: server.unreachable[0].run is \"restart-modm\"; expected reboot or a name of rpc.run, which has "
        + "restart-modem and power-cycle; did you mean \"restart-modem\"?"),
    Row(
      "a port's word for the server", file(unreachable: "[{after: 30m, run: reopen}]"),
      "f:1:58: server.unreachable[0].run is \"reopen\"; expected reboot or a name of rpc.run, which has restart-modem "
        + "and power-cycle"),
    Row(
      "a word nearly right", file(silent: "[{after: 5m, run: power-cycle}, {after: 15m, run: usb_reset}]"),
      "f:3:81: ports.p.silent[1].run is \"usb_reset\"; expected reopen, usb-reset, reboot or a name of rpc.run, which has "
        + "restart-modem and power-cycle; did you mean \"usb-reset\"?"),
    Row(
      "no programs", "server: {url: https://h, unreachable: [{after: 1h, run: a}]}\n" + Sample.device,
      "f:1:57: server.unreachable[0].run is \"a\"; expected reboot or a name of rpc.run, which has none"),
    Row(
      "a board that reboots all the time", file(unreachable: "[{after: 599s, run: reboot}]"),
      "f:1:48: server.unreachable[0].after is \"599s\"; expected 10m or more for reboot: a board that reboots all the "
        + "time cannot be mended"),
    Row(
      "too soon for anything is told once", file(unreachable: "[{after: 59s, run: reboot}]"),
      "f:1:48: server.unreachable[0].after is \"59s\"; expected a duration from 1m to 7d such as 250ms, 5s, 10m or 1h"),
    Row(
      "a reboot first", file(unreachable: "[{after: 6h, run: reboot}, {after: 30m, run: restart-modem}]"),
      "f:1:74: server.unreachable[1].after is \"30m\", but the step before it comes after 6h; expected the steps in the "
        + "order of their time"),
    Row(
      "steps without number",
      file(unreachable: "[\((1...9).map { "{after: \($0)h, run: reboot}" }.joined(separator: ","))]"),
      "f:1:39: server.unreachable has 9 steps; at most 8 are possible"),
    Row(
      "text in the list's place", file(unreachable: "reboot"),
      "f:1:39: server.unreachable is text; expected a list of steps such as [{after: 30m, run: reboot}]"),
  ]

  @Test(arguments: mistakes) func reports(_ row: Row) {
    #expect(errors(row.text) == row.expected)
  }

  @Test func readsLadders() throws {
    let text = Self.file(
      unreachable: "[{after: 30m, run: restart-modem}, {after: 6h, run: reboot}]",
      silent: "[{after: 5m, run: reopen}, {after: 15m, run: usb-reset}, {after: 1h, run: power-cycle}]")
    let configuration = try load(text).get()
    #expect(
      configuration.unreachable == [
        RecoveryStep(after: .seconds(1800), run: "restart-modem"), RecoveryStep(after: .seconds(21600), run: "reboot"),
      ])
    #expect(
      configuration.ports.first?.options.silent == [
        RecoveryStep(after: .seconds(300), run: "reopen"), RecoveryStep(after: .seconds(900), run: "usb-reset"),
        RecoveryStep(after: .seconds(3600), run: "power-cycle"),
      ])
    #expect(configuration.warnings.isEmpty)
    #expect(try load(Sample.head).get().unreachable.isEmpty)
  }

  @Test func warnsOfABoardThatRebootsForABrokenSensor() throws {
    #expect(
      try load(Self.file(silent: "[{after: 1m, run: reboot}]")).get().warnings == [
        "f:3:40: warning: ports.p.silent[0].after is \"1m\": a sensor that is broken will have the board rebooted; better "
          + "10m or more"
      ])
  }
}
