import EventLoop
import Foundation
import Testing

@testable import Gateway

@Suite struct CommandLogindTests {
  @Test func withoutABusItIsUnavailable() throws {
    let error = try onCommandLoop { _ in await Self.reboot(Logind(address: "unix:path=/nowhere/bus")) }
    #expect(error?.code == .unavailable)
    #expect(error?.message.contains("No such file or directory") == true)
  }

  @Test func withoutLogindItIsUnavailable() throws {
    guard let bus = try PrivateBus() else { return }
    let error = try onCommandLoop { [address = bus.address] _ in await Self.reboot(Logind(address: address)) }
    #expect(error?.code == .unavailable)
    #expect(error?.message.contains("org.freedesktop.login1") == true, "\(error?.message ?? "")")
  }

  @Test func logindIsAskedOnceAndNotInteractively() throws {
    guard let bus = try PrivateBus(), let logind = try bus.logind() else { return }
    let error = try onCommandLoop { [address = bus.address] _ in await Self.reboot(Logind(address: address)) }
    #expect(error == nil)
    #expect(try logind.line() == "reboot 0")
  }

  @Test func whatPolkitSaysIsTold() throws {
    guard let bus = try PrivateBus(), let logind = try bus.logind("refuse") else { return }
    let error = try onCommandLoop { [address = bus.address] _ in await Self.reboot(Logind(address: address)) }
    #expect(error?.code == .unavailable)
    #expect(error?.message.contains("Interactive authentication required.") == true)
    #expect(error?.message.contains("50-baudgate.rules") == true)
    #expect(try logind.line() == "reboot 0")
  }

  private static func reboot(_ logind: Logind) async -> CommandError? {
    do throws(CommandError) { try await logind.reboot() } catch { return error }
    return nil
  }
}

/// A bus that nobody else is on. `nil` where dbus-daemon is not installed.
private final class PrivateBus {
  private let scratch: CommandScratch
  private let daemon: Helper
  let address: String

  init?() throws {
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/dbus-daemon") else { return nil }
    scratch = try CommandScratch()
    let configuration = """
      <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
       "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
      <busconfig>
        <type>system</type>
        <listen>unix:path=\(scratch.file("bus"))</listen>
        <policy context="default">
          <allow send_destination="*" eavesdrop="true"/>
          <allow eavesdrop="true"/>
          <allow own="*"/>
          <allow user="*"/>
        </policy>
      </busconfig>
      """
    try scratch.write(Array(configuration.utf8), to: "bus.conf")
    daemon = try Helper(
      "/usr/bin/dbus-daemon",
      ["--config-file=\(scratch.file("bus.conf"))", "--nofork", "--nopidfile", "--print-address=1"])
    address = try daemon.line()
  }

  /// A logind on it. `nil` where there is no C compiler.
  func logind(_ arguments: String...) throws -> Helper? {
    let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Support/logind.c").path
    let program = scratch.file("logind")
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/cc") else { return nil }
    let compiler = try Helper("/usr/bin/cc", ["-o", program, source, "-lsystemd"])
    try #require(compiler.status() == 0)
    let logind = try Helper(program, arguments, environment: ["DBUS_SYSTEM_BUS_ADDRESS": address])
    try #require(try logind.line() == "ready")
    return logind
  }
}

/// A process whose lines can be read; ended with its owner.
private final class Helper {
  private let process = Process()
  private let output = Pipe()

  init(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws {
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = ["PATH": "/usr/bin:/bin"].merging(environment) { $1 }
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
  }

  func status() -> Int32 {
    process.waitUntilExit()
    return process.terminationStatus
  }

  /// Waits for one; the end of the output ends it.
  func line() throws -> String {
    var bytes: [UInt8] = []
    while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != UInt8(ascii: "\n") {
      bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
