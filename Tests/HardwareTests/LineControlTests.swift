import CKernel
import EventLoop
import Foundation
import Testing

@testable import Hardware

/// RS-485, DTR and RTS, low latency: what is asked of a driver, and what is made of its answers.
@Suite struct LineControlTests {
  /// A driver that notes what it is asked, and has what the test gives it.
  final class Driver: LineControl {
    var rs485Mode: bg_rs485?
    var modem: UInt32?
    var takesLowLatency = false
    /// What a driver does to the mode it is asked for.
    var adjust: (inout bg_rs485) -> Void = { _ in }
    private var isLow = false
    private(set) var calls: [String] = []

    func setRS485(_ wanted: bg_rs485) throws(SystemError) {
      calls.append(
        "rs485 on=\(wanted.enabled) rts=\(wanted.rts_on_send) own=\(wanted.rx_during_tx) "
          + "\(wanted.delay_before_ms)/\(wanted.delay_after_ms)")
      guard rs485Mode != nil else { throw SystemError("ioctl TIOCSRS485", errno: ENOTTY) }
      var mode = wanted
      adjust(&mode)
      rs485Mode = mode
    }

    func rs485() throws(SystemError) -> bg_rs485 {
      guard let rs485Mode else { throw SystemError("ioctl TIOCGRS485", errno: ENOTTY) }
      return rs485Mode
    }

    func setModemLines(raised: UInt32, lowered: UInt32) throws(SystemError) {
      calls.append("raise \(raised) lower \(lowered)")
      guard let modem else { throw SystemError("ioctl TIOCMBIS", errno: ENOTTY) }
      self.modem = (modem | raised) & ~lowered
    }

    func modemLines() throws(SystemError) -> UInt32 {
      guard let modem else { throw SystemError("ioctl TIOCMGET", errno: ENOTTY) }
      return modem
    }

    func setLowLatency() throws(SystemError) {
      calls.append("low latency")
      isLow = takesLowLatency
    }

    func isLowLatency() throws(SystemError) -> Bool { isLow }
  }

  static func opened(_ options: SerialOptions, by driver: Driver) -> SerialOptions {
    options.setModemLinesAndRS485(by: driver)
    return options.completing(options, by: driver)
  }

  @Test func whatIsNotAskedForIsLeftAlone() {
    let driver = Driver()
    driver.rs485Mode = bg_rs485()
    driver.modem = 3
    let options = SerialOptions(path: "/dev/ttyS0")
    #expect(Self.opened(options, by: driver) == options)
    #expect(driver.calls == [])
  }

  @Test func theModeIsSetAsConfigured() {
    let driver = Driver()
    driver.rs485Mode = bg_rs485()
    var options = SerialOptions(path: "/dev/ttyAMA0")
    var mode = RS485Options()
    mode.rtsOnSend = false
    mode.receivesOwn = true
    mode.delayBefore = .milliseconds(1)
    mode.delayAfter = .milliseconds(100)
    options.rs485 = mode
    let granted = Self.opened(options, by: driver)
    #expect(driver.calls == ["rs485 on=1 rts=0 own=1 1/100"])
    #expect(granted == options)
    #expect(options.shortcomings(of: granted) == [])
  }

  @Test func whatTheDriverChangedIsSeen() {
    let driver = Driver()
    driver.rs485Mode = bg_rs485()
    driver.adjust = { mode in
      mode.rts_on_send = 0
      mode.rx_during_tx = 1
      mode.delay_before_ms = 0
    }
    var options = SerialOptions(path: "/dev/ttyAMA0")
    options.rs485 = RS485Options()
    options.rs485?.delayBefore = .milliseconds(2)
    let granted = Self.opened(options, by: driver)
    #expect(
      options.shortcomings(of: granted) == [
        "rts_on_send false instead of true", "receive_own true instead of false", "delay_before 0ms instead of 2ms",
      ])
  }

  /// A driver may take the call and leave the mode off.
  @Test(arguments: [false, true]) func aDriverWithoutTheModeGrantsNone(_ takesTheCall: Bool) {
    let driver = Driver()
    if takesTheCall { driver.rs485Mode = bg_rs485() }
    driver.adjust = { $0.enabled = 0 }
    var options = SerialOptions(path: "/dev/ttyUSB0")
    options.rs485 = RS485Options()
    let granted = Self.opened(options, by: driver)
    #expect(granted.rs485 == nil)
    #expect(options.shortcomings(of: granted) == [])
  }

  @Test func modemLinesAreSetApart() {
    let driver = Driver()
    driver.modem = 3
    var options = SerialOptions(path: "/dev/ttyUSB0")
    options.dtr = false
    options.rts = true
    #expect(Self.opened(options, by: driver) == options)
    options.rts = nil
    options.dtr = true
    #expect(Self.opened(options, by: driver) == options)
    #expect(driver.calls == ["raise 2 lower 1", "raise 1 lower 0"])
    #expect(driver.modem == 3)
  }

  @Test func aLineWithoutModemLinesHasNoWrongOnes() {
    var options = SerialOptions(path: "/dev/pts/1")
    options.dtr = true
    options.rts = false
    let granted = Self.opened(options, by: Driver())
    #expect(granted.dtr == nil && granted.rts == nil)
    #expect(options.shortcomings(of: granted) == [])
    var wrong = options
    wrong.dtr = false
    #expect(options.shortcomings(of: wrong) == ["dtr off instead of on"])
  }

  @Test(arguments: [false, true]) func lowLatencyIsReadBack(_ takes: Bool) {
    let driver = Driver()
    driver.takesLowLatency = takes
    var options = SerialOptions(path: "/dev/ttyUSB0")
    options.isLowLatency = true
    #expect(Self.opened(options, by: driver).isLowLatency == takes)
    #expect(driver.calls == ["low latency"])
  }

  /// The kernel's own answers, from a line that has none of it.
  @Test func aPtyOpensWithAllOfIt() throws {
    let pty = try PseudoTerminal()
    var options = SerialOptions(path: pty.path)
    options.rs485 = RS485Options()
    options.dtr = true
    options.isLowLatency = true
    let line = try TTY.open(options)
    #expect(line.granted == SerialOptions(path: pty.path))
    try pty.send("21\n")
    #expect(try TTYTests.take(3, from: line) == Array("21\n".utf8))
  }

  // MARK: The log

  static func told(asked options: SerialOptions, granted: SerialOptions) throws -> [String] {
    try onLoop { loop in
      let streams = [ScriptedStream(granted), ScriptedStream(granted)]
      streams[0].add(.failure(.gone("/dev/ttyUSB0")))
      let bench = PortBench(loop, options, open: ScriptedOpener(streams.map { .success($0) }).open)
      await bench.port.start()
      await bench.until { $0.openings == 2 }
      await bench.port.stop()
      return bench.log.told.filter { !$0.contains("is open") && !$0.contains("hung up") }
    }
  }

  @Test func aMissingModeIsToldOnceAndThePortOpens() throws {
    let plain = SerialOptions(path: "/dev/ttyUSB0")
    var options = plain
    options.rs485 = RS485Options()
    options.dtr = true
    let told = try Self.told(asked: options, granted: plain)
    #expect(told.count == 1)
    #expect(told.first?.hasPrefix("warning: meter: the driver of /dev/ttyUSB0 has no RS-485 mode; going on") == true)
  }

  @Test func missingLowLatencyIsAnInformation() throws {
    let plain = SerialOptions(path: "/dev/ttyUSB0")
    var options = plain
    options.isLowLatency = true
    let told = try Self.told(asked: options, granted: plain)
    #expect(told.count == 1)
    #expect(told.first?.hasPrefix("info: meter: the driver of /dev/ttyUSB0 knows no `low_latency:`") == true)
  }
}
