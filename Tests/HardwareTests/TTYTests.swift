import CKernel
import EventLoop
import Foundation
import Telemetry
import Testing

@testable import Hardware

/// Real pseudo-terminals, opened as lines.
@Suite struct TTYTests {
  /// Waits for that many bytes on the line.
  static func take(_ count: Int, from line: any ByteStream) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count, isReadable(line.descriptor) {
      bytes += try line.read(atMost: 4096)?.bytes ?? []
    }
    return bytes
  }

  static func settings(of pty: PseudoTerminal) -> bg_line_settings {
    var settings = bg_line_settings()
    #expect(bg_serial_settings(pty.master, &settings) == 0)
    return settings
  }

  @Test func everyByteArrivesAsItWasSent() throws {
    let pty = try PseudoTerminal()
    let line = try TTY.open(SerialOptions(path: pty.path))
    // ETX, CR, XON, XOFF, DEL and 0xFF among them.
    let all = (0...255).map { UInt8($0) }
    try pty.send(all)
    #expect(try Self.take(256, from: line) == all)
    #expect(try line.write(all[...]) == 256)
    #expect(pty.take(256) == all)
    #expect(pty.take() == [], "an echo")
  }

  @Test func nothingYetIsNil() throws {
    let pty = try PseudoTerminal()
    let line = try TTY.open(SerialOptions(path: pty.path))
    #expect(try line.read(atMost: 100) == nil)
    try pty.send("T=21\n")
    #expect(isReadable(line.descriptor))
    let before = CaptureTime.now()
    let (bytes, time) = try #require(try line.read(atMost: 4))
    #expect(String(decoding: bytes, as: UTF8.self) == "T=21")
    #expect(time.boottime >= before.boottime)
    #expect(time.boottime <= CaptureTime.now().boottime)
  }

  @Test(arguments: [50, 9600, 12_345, 31_250, 250_000, 4_000_000])
  func anyRateIsSetAndReadBack(_ baud: Int) throws {
    let pty = try PseudoTerminal()
    let line = try TTY.open(SerialOptions(path: pty.path, baud: baud))
    #expect(line.granted.baud == baud)
    #expect(Self.settings(of: pty).baud == UInt32(baud))
  }

  @Test func theLineHangsUpOnCloseOnlyWhereAsked() throws {
    let pty = try PseudoTerminal()
    let quiet = try TTY.open(SerialOptions(path: pty.path))
    #expect(Self.settings(of: pty).hang_up_on_close == 0)
    quiet.close()
    let asked = try TTY.open(SerialOptions(path: pty.path, hangUpOnClose: true))
    #expect(Self.settings(of: pty).hang_up_on_close == 1)
    #expect(asked.granted.hangUpOnClose)
  }

  @Test func flowControlAndStopBitsReachTheLine() throws {
    let pty = try PseudoTerminal()
    let options = SerialOptions(path: pty.path, stopBits: 2, flow: .xonXOFF)
    let line = try TTY.open(options)
    #expect(line.granted == options)
    line.close()
    let hardware = try TTY.open(SerialOptions(path: pty.path, flow: .rtsCTS))
    #expect(hardware.granted.flow == .rtsCTS)
    #expect(Self.settings(of: pty).xon_xoff == 0)
  }

  /// A pty clears both bits in silence (drivers/tty/pty.c).
  @Test func whatTheDriverDidNotTakeIsSeen() throws {
    let pty = try PseudoTerminal()
    let options = SerialOptions(path: pty.path, dataBits: 7, parity: .even)
    let line = try TTY.open(options)
    #expect(options.shortcomings(of: line.granted) == ["data_bits 8 instead of 7", "parity none instead of even"])
  }

  @Test func aSecondOpeningIsRefusedUntilTheFirstIsClosed() throws {
    let pty = try PseudoTerminal()
    let options = SerialOptions(path: pty.path)
    let line = try TTY.open(options)
    let error = #expect(throws: PortError.self) { try TTY.open(options) }
    #expect(error?.code == .inUse)
    #expect(error?.message.contains(pty.path) == true)
    line.close()
    try TTY.open(options).close()
  }

  /// TIOCEXCL would stay on the pty when a killed daemon's descriptor is closed, and lock out its successor.
  @Test func aPtyIsNotMadeExclusive() throws {
    let pty = try PseudoTerminal()
    let line = try TTY.open(SerialOptions(path: pty.path))
    var exclusive: CInt = 1
    #expect(bg_serial_is_pty(line.descriptor) == 1)
    #expect(bg_serial_is_exclusive(line.descriptor, &exclusive) == 0)
    #expect(exclusive == 0)
  }

  @Test func whatArrivedBeforeTheOpeningIsDropped() throws {
    let pty = try PseudoTerminal()
    let former = open(pty.path, O_RDWR | O_NOCTTY)
    try pty.send("old\n")
    #expect(isReadable(former))
    close(former)
    let line = try TTY.open(SerialOptions(path: pty.path))
    #expect(try line.read(atMost: 100) == nil)
    try pty.send("new")
    #expect(try Self.take(3, from: line) == Array("new".utf8))
  }

  @Test func afterAHangUpReadingAndWritingSayGone() throws {
    let pty = try PseudoTerminal()
    let line = try TTY.open(SerialOptions(path: pty.path))
    pty.hangUp()
    let reading = #expect(throws: PortError.self) { try line.read(atMost: 100) }
    #expect(reading?.code == .gone)
    let writing = #expect(throws: PortError.self) { try line.write([1]) }
    #expect(writing?.code == .gone)
    #expect(writing?.cause?.errno == EIO)
    line.close()
    line.close()
  }

  @Test func aFullDriverTakesNothing() throws {
    let pty = try PseudoTerminal()
    let line = try TTY.open(SerialOptions(path: pty.path))
    let chunk = [UInt8](repeating: 0x55, count: 4096)
    var (sent, taken) = (0, 0)
    // The kernel moves bytes on meanwhile, so that the end comes after more than one buffer.
    for _ in 0..<1000 {
      taken = try line.write(chunk[...])
      sent += taken
      if taken == 0 { break }
    }
    #expect(taken == 0)
    #expect(pty.take(sent).count == sent)
  }

  @Test func aPtyCountsNoErrors() throws {
    let pty = try PseudoTerminal()
    #expect(try TTY.open(SerialOptions(path: pty.path)).readCounters() == nil)
  }

  struct NoLine: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let path: String
    let code: PortError.Code
  }

  @Test(arguments: [
    NoLine(testDescription: "a missing file is absent", path: "/nowhere/ttyUSB0", code: .absent),
    NoLine(testDescription: "a file as directory is absent", path: "/dev/null/ttyUSB0", code: .absent),
    NoLine(testDescription: "a regular file is no terminal", path: #filePath, code: .notATerminal),
    NoLine(testDescription: "a directory is no terminal", path: "/tmp", code: .notATerminal),
    NoLine(testDescription: "another device is no terminal", path: "/dev/null", code: .notATerminal),
    NoLine(testDescription: "an empty path is absent", path: "", code: .absent),
    NoLine(testDescription: "a path with a zero byte cannot be", path: "/dev/null\0", code: .failed),
  ])
  func whatIsNoLineIsRefused(_ row: NoLine) {
    let error = #expect(throws: PortError.self) { try TTY.open(SerialOptions(path: row.path)) }
    #expect(error?.code == row.code)
  }

  @Test(arguments: [
    SerialOptions(path: "x", baud: 0), SerialOptions(path: "x", baud: -1), SerialOptions(path: "x", baud: .max),
    SerialOptions(path: "x", dataBits: 9), SerialOptions(path: "x", dataBits: 4), SerialOptions(path: "x", stopBits: 3),
  ])
  func numbersNoLineCanHaveAreAnError(_ options: SerialOptions) {
    let error = #expect(throws: PortError.self) { try TTY.open(options) }
    #expect(error?.code == .failed)
    #expect(error?.cause?.errno == EINVAL)
  }
}
