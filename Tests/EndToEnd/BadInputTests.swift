import Foundation
import Simulator
import Testing

/// One clear log line each, the daemon stays up, nothing accepted is lost.
@Suite struct BadInputTests {
  private static let mayMount: Bool = {
    guard let scratch = try? Scratch(), mount("tmpfs", scratch.path, "tmpfs", 0, "size=64k") == 0 else { return false }
    umount2(scratch.path, CInt(MNT_DETACH))
    return true
  }()

  private func lines(_ log: String, with text: String) -> [Substring] {
    log.split(separator: "\n").filter { $0.contains(text) }
  }

  @Test func garbageAndAMegabyteLine() async throws {
    let gateway = try await GatewayUnderTest()
    try await gateway.start()
    let line = try gateway.line
    try line.send("N=1\n")
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      try line.send((0..<100).map { _ in UInt8.random(in: 0...255, using: &generator) } + [0x0A])
    }
    try line.send([UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20) + [0x0A])
    try line.send("N=2\n")
    #expect(await gateway.arrived(2), "\(gateway.daemon.log)")
    #expect(gateway.numbers() == [1, 2])
    #expect(lines(gateway.daemon.log, with: "line-sensor").count <= 12, "\(gateway.daemon.log)")
    #expect(lines(gateway.daemon.log, with: "without a line end").count == 1, "\(gateway.daemon.log)")
    #expect(gateway.daemon.terminate() == 0)
    await gateway.end()
  }

  @Test func anUnpluggedLineComesBack() async throws {
    let gateway = try await GatewayUnderTest()
    try await gateway.start()
    let line = try gateway.line
    try line.send("N=1\n")
    #expect(await gateway.arrived(1))
    for round in 2...3 {
      line.unplug()
      let daemon = gateway.daemon
      #expect(
        try await eventually {
          let ports = try daemon.status()["ports"] as? [String: [String: Any]]
          return ports?["line"]?["state"] as? String != "open"
        })
      try line.plug()
      try await gateway.waitUntilOpen()
      try line.send("\nN=\(round)\n")
      #expect(await gateway.arrived(round), "\(gateway.daemon.log)")
    }
    #expect(lines(gateway.daemon.log, with: "<4>").count <= 4, "\(gateway.daemon.log)")
    await gateway.end()
  }

  @Test func aWrongTokenKeepsEverythingUntilItIsRight() async throws {
    let gateway = try await GatewayUnderTest()
    let path = gateway.scratch.file("baudgate.yaml")
    let good = try String(contentsOfFile: path, encoding: .utf8)
    try gateway.scratch.write(
      good.replacingOccurrences(of: GatewayUnderTest.token, with: "WRONG_TOKEN_1"), to: "baudgate.yaml")
    try await gateway.start()
    for number in 0..<20 { try gateway.line.send("N=\(number)\n") }
    let daemon = gateway.daemon
    #expect(try await eventually { daemon.log.contains("401") })
    #expect(lines(daemon.log, with: "401").count == 1)
    #expect(!daemon.log.contains("WRONG_TOKEN_1"))
    #expect(
      try await eventually { ((try daemon.status()["queue"] as? [String: Any])?["records"] as? Int) == 20 })
    #expect(daemon.terminate() == 0)
    try gateway.scratch.write(good, to: "baudgate.yaml")
    try await gateway.start()
    #expect(await gateway.arrived(20))
    #expect(gateway.numbers() == Array(0..<20))
    await gateway.end()
  }

  @Test func aCaptivePortalIsNoServer() async throws {
    let gateway = try await GatewayUnderTest()
    gateway.server.setFault(.captivePortal)
    try await gateway.start()
    try gateway.line.send("N=7\n")
    let daemon = gateway.daemon
    #expect(try await eventually { daemon.log.contains("captive portal") })
    #expect(gateway.server.count(of: "n") == 0)
    #expect(daemon.terminate() == 0)
    gateway.server.setFault(nil)
    try await gateway.start()
    #expect(await gateway.arrived(1))
    await gateway.end()
  }

  /// timeout(1) sends SIGTERM to its child and to its group.
  @Test func aSecondSIGTERMDoesNotCutTheStopShort() async throws {
    let gateway = try await GatewayUnderTest()
    await gateway.server.cutOff()
    try await gateway.start()
    for number in 0..<50 { try gateway.line.send("N=\(number)\n") }
    let daemon = gateway.daemon
    #expect(
      try await eventually { ((try daemon.status()["queue"] as? [String: Any])?["records"] as? Int) == 50 })
    daemon.signal(SIGTERM)
    daemon.signal(SIGTERM)
    #expect(daemon.terminate() == 0)
    #expect(daemon.log.contains("50 kept for the next one"), "\(daemon.log)")
    await gateway.end()
  }

  @Test func aSecondDaemonSaysWhoHoldsTheStateAndEnds() async throws {
    let gateway = try await GatewayUnderTest()
    try await gateway.start()
    let second = try DaemonProcess.run(
      [DaemonProcess.binary, gateway.scratch.file("baudgate.yaml")],
      environment: ["RUNTIME_DIRECTORY": gateway.scratch.file("run")])
    #expect(second.status == 75)
    #expect(second.errors.contains("process \(gateway.daemon.pid)"), "\(second.errors)")
    // The first one is unharmed, its control socket included.
    try gateway.line.send("N=1\n")
    #expect(await gateway.arrived(1))
    _ = try gateway.daemon.status()
    await gateway.end()
  }

  @Test func withoutAFreeDescriptorItAnswersAsSoonAsThereIsOne() async throws {
    let gateway = try await GatewayUnderTest()
    try await gateway.start()
    try gateway.line.send("N=1\n")
    #expect(await gateway.arrived(1))
    let pid = gateway.daemon.pid
    let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").compactMap { UInt($0) }
    try setDescriptorLimit(of: pid, to: (open.max() ?? 0) + 1)
    // Holds a descriptor for each number that is free below the limit.
    let peers = (0..<16).map { _ in connectedSocket(gateway.scratch.file("run/control.sock")) }
    #expect(peers.allSatisfy { $0 >= 0 })
    try gateway.line.send("N=2\n")
    #expect(await gateway.arrived(2), "the rest goes on: \(gateway.daemon.log)")
    try setDescriptorLimit(of: pid, to: 512)
    for peer in peers { close(peer) }
    _ = try gateway.daemon.status()
    #expect(gateway.daemon.terminate() == 0)
    await gateway.end()
  }

  @Test func aBadConfigurationIsStatus78WithEveryMistake() async throws {
    let scratch = try Scratch()
    try scratch.write(
      "server:\n  ulr: http://127.0.0.1:1\nports:\n  a: {path: /dev/null, buad: 9600}\n", to: "bad.yaml")
    let result = try DaemonProcess.run([DaemonProcess.binary, scratch.file("bad.yaml")])
    #expect(result.status == 78)
    #expect(result.output.isEmpty)
    #expect(result.errors.contains("bad.yaml:2:3: ") && result.errors.contains(#""url""#), "\(result.errors)")
    #expect(result.errors.contains("bad.yaml:4:24: ") && result.errors.contains(#""baud""#), "\(result.errors)")
  }

  /// A full and a read-only state directory, on a file system of the test's own.
  @Test(.enabled(if: mayMount, "mounting a tmpfs needs root and CAP_SYS_ADMIN"), arguments: ["full", "read-only"])
  func aStateDirectoryThatTakesNothing(_ kind: String) async throws {
    let gateway = try await GatewayUnderTest(more: "queue: {persist_after: 0s}\n")
    let state = gateway.scratch.file("state")
    let options = kind == "full" ? "size=64k" : "size=1m"
    try #require(mount("tmpfs", state, "tmpfs", 0, options) == 0)
    defer { umount2(state, CInt(MNT_DETACH)) }
    if kind == "full" {
      try Data(repeating: 0, count: 64 << 10).write(to: URL(fileURLWithPath: state + "/filler"))
    } else {
      #expect(mount("tmpfs", state, "tmpfs", UInt(MS_REMOUNT | MS_RDONLY), options) == 0)
    }
    await gateway.server.cutOff()
    try await gateway.start()
    for number in 0..<100 { try gateway.line.send("N=\(number)\n") }
    let daemon = gateway.daemon
    #expect(
      try await eventually { ((try daemon.status()["queue"] as? [String: Any])?["degraded"] as? String) != nil },
      "\(daemon.log)")
    try await gateway.server.bringBack()
    #expect(await gateway.arrived(100), "\(daemon.log)")
    #expect(gateway.numbers() == Array(0..<100))
    #expect(daemon.isRunning)
    #expect(daemon.terminate() == 0)
    await gateway.end()
  }
}

/// prlimit(1) changes the soft limit of another process; Glibc's own is hidden from Swift.
private func setDescriptorLimit(of pid: pid_t, to limit: UInt) throws {
  let result = try DaemonProcess.run(["/usr/bin/prlimit", "--pid", "\(pid)", "--nofile=\(limit):"])
  guard result.status == 0 else { throw DaemonProcess.Failure("prlimit: \(result.errors)") }
}

private func connectedSocket(_ path: String) -> CInt {
  let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
  let length = socklen_t(MemoryLayout<sockaddr_un>.size)
  let result = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
  }
  return result == 0 ? descriptor : -1
}
