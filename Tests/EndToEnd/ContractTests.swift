import Foundation
import Simulator
import Testing

/// Rows of docs/thingsboard.md that take the whole daemon to show.
@Suite struct ContractTests {
  private static let token = GatewayUnderTest.token

  private func queued(_ gateway: GatewayUnderTest) throws -> Int {
    (try gateway.daemon.status()["queue"] as? [String: Any])?["records"] as? Int ?? -1
  }

  /// A person deletes the device, and makes it again with the same token.
  @Test func aDeletedDeviceKeepsItsReadings() async throws {
    let gateway = try await GatewayUnderTest()
    let (server, daemon) = (gateway.server, gateway.daemon)
    try await gateway.start()
    @Sendable func knowsVersion() -> Bool {
      server.clientAttributes(token: Self.token)["baudgate_version"] != nil
    }
    #expect(await gateway.isPolling())
    #expect(await server.wait(upTo: .seconds(20)) { knowsVersion() })
    server.deleteDevice(token: Self.token)
    #expect(!knowsVersion())
    #expect(
      try await eventually { daemon.log.contains(#"refuses this device (403 "Device was deleted!")"#) }, "\(daemon.log)"
    )
    try gateway.line.send("N=1\nN=2\n")
    #expect(try await eventually { daemon.log.contains("does not know this device's token (401)") }, "\(daemon.log)")
    #expect(try queued(gateway) == 2)
    #expect(
      try await eventually { ((try daemon.status()["uplink"] as? [String: Any])?["failing"] as? Bool) == true })
    #expect(
      daemon.log.split(separator: "\n").filter { $0.contains("401") || $0.contains("403") }.allSatisfy {
        $0.hasPrefix("<3>")
      })
    server.addDevice(token: Self.token)
    // What a person must mend is tried again within half a minute at first; what gets through first hastens the rest.
    #expect(await gateway.arrived(2), "\(daemon.log)")
    #expect(gateway.numbers() == [1, 2])
    // The new device has none of the old one's attributes.
    #expect(await server.wait(upTo: .seconds(20)) { knowsVersion() })
    #expect(await gateway.isPolling())
    #expect(await gateway.ask("serialWrite", #"{"port":"line","text":"x"}"#) == #"{"written":1}"#)
    await gateway.end()
  }

  /// What a rate limit looks like here: posts fail with an empty 500, questions are never answered.
  @Test func aRateLimitCostsTimeAndNothingElse() async throws {
    let gateway = try await GatewayUnderTest(more: "upload: {interval: 250ms, max_batch: 20}\n")
    let (server, daemon) = (gateway.server, gateway.daemon)
    server.setFault(.hang(.seconds(600)), scope: .only(.getAttributes, .pollAttributes))
    server.setFault(.emptyServerError, requests: 4, scope: .telemetry)
    server.setFault(.emptyServerError, requests: 1, scope: .only(.postReply))
    try await gateway.start()
    try gateway.line.send((0..<100).map { "N=\($0)\n" }.joined())
    // Questions without an answer hold up neither commands nor readings.
    #expect(await gateway.ask("serialWrite", #"{"port":"line","text":"x"}"#) == #"{"written":1}"#, "\(daemon.log)")
    #expect(await gateway.arrived(100), "\(daemon.log)")
    #expect(gateway.numbers() == Array(0..<100))
    #expect(server.counters.replacements == 0)
    #expect(((try daemon.status()["queue"] as? [String: Any])?["parked"] as? Int) == 0, "no record was at fault")
    #expect(daemon.terminate() == 0, "nor a stop")
    await gateway.end()
  }

  /// One reading a rule of the server's chokes on: set aside with the server's words, all others arrive.
  @Test func aPoisonedReadingIsSetAside() async throws {
    let gateway = try await GatewayUnderTest()
    let (server, daemon) = (gateway.server, gateway.daemon)
    server.setFault(.poison(text: ":33.0", answer: "Can't parse value: 33.0"))
    try await gateway.start()
    try gateway.line.send((0..<60).map { "N=\($0)\n" }.joined())
    #expect(await gateway.arrived(59), "\(daemon.log)")
    #expect(gateway.numbers() == Array(0..<60).filter { $0 != 33 })
    #expect(try await eventually { daemon.log.contains("will never take the record") }, "\(daemon.log)")
    #expect(daemon.log.contains("Can't parse value: 33.0"))
    #expect(try await eventually { try self.queued(gateway) == 0 })
    #expect(((try daemon.status()["queue"] as? [String: Any])?["parked"] as? Int) == 1)
    #expect(daemon.terminate() == 0)
    await gateway.end()
  }

  /// Never sooner than the server has asked for.
  @Test func aRetryAfterIsHonoured() async throws {
    let gateway = try await GatewayUnderTest()
    let server = gateway.server
    server.setFault(.status(429, headers: ["Retry-After": "3"]), requests: 1)
    try await gateway.start()
    try gateway.line.send("N=1\n")
    #expect(await gateway.arrived(1), "\(gateway.daemon.log)")
    let times = server.requests().filter { $0.kind == .postTelemetry }.map(\.time)
    #expect(times.count == 2)
    #expect((times.last ?? 0) - (times.first ?? 0) >= 3000)
    await gateway.end()
  }

  /// The servlet's limit ends each poll with a 503: the next one is open by then, and no word is lost about it.
  @Test func aServletThatEndsPollsIsNoOutage() async throws {
    var options = ServerOptions(tokens: [Self.token])
    // The usual 30 s are beyond what is asked for; a shorter one shows the same.
    options.asyncLimit = .seconds(11)
    let gateway = try await GatewayUnderTest(options, ports: ["line"]) { url, scratch in
      """
      server: {url: \(url)}
      device: {token: \(Self.token)}
      ports:
        line: {path: \(scratch.file("tty-line")), baud: 115200}
      sensors:
        climate: {port: line, protocol: line, template: "N={n}"}
      """
    }
    let server = gateway.server
    try await gateway.start()
    let isEnded = await server.wait(upTo: .seconds(60)) {
      server.requests().contains { $0.kind == .pollCommands && $0.status == 503 }
        && server.requests().contains { $0.kind == .pollAttributes && $0.status == 503 }
    }
    #expect(isEnded)
    #expect(await gateway.isPolling())
    #expect(await gateway.ask("serialWrite", #"{"port":"line","text":"x"}"#) == #"{"written":1}"#)
    #expect(!gateway.daemon.log.contains("503"), "\(gateway.daemon.log)")
    await gateway.end()
  }

  /// The server would make text of them, and of the whole key.
  @Test func whatWouldSpoilAKeyIsNotSent() async throws {
    let gateway = try await GatewayUnderTest()
    let daemon = gateway.daemon
    try await gateway.start()
    try gateway.line.send("N=1e300\nN=-1e19\nN=5\n")
    #expect(await gateway.arrived(1), "\(daemon.log)")
    #expect(gateway.server.values(of: "n").map(\.text) == ["5.0"])
    #expect((try daemon.status()["values"] as? [String: Any])?["unsendable"] as? Int == 2)
    #expect(daemon.log.split(separator: "\n").filter { $0.contains("so the value is not sent") }.count == 1)
    #expect(gateway.server.counters.lost == 0)
    await gateway.end()
  }

  /// A label of more than 63 bytes (RFC 1035, 2.3.4) fails without a question to anybody.
  @Test func aNameNobodyKnows() async throws {
    let gateway = try await GatewayUnderTest(url: "http://\(String(repeating: "a", count: 64)).invalid")
    let daemon = gateway.daemon
    try await gateway.start()
    try gateway.line.send("N=1\n")
    #expect(try await eventually { daemon.log.contains("check the network and its name server") }, "\(daemon.log)")
    #expect(try queued(gateway) == 1)
    #expect(!daemon.log.contains(Self.token))
    await gateway.end()
  }

  // MARK: A link that costs

  /// Requests are counted against the time that really went by: a slow machine makes more of both.
  @Test(arguments: [true, false]) func aMeteredLink(_ isMetered: Bool) async throws {
    let gateway = try await GatewayUnderTest(ports: ["line"]) { url, scratch in
      """
      server: {url: \(url), link: \(isMetered ? "metered" : "unmetered")}
      device: {token: \(Self.token)}
      ports:
        line: {path: \(scratch.file("tty-line")), baud: 115200}
      sensors:
        climate: {port: line, protocol: line, template: "N={n}"}
      """
    }
    let server = gateway.server
    let begin = ContinuousClock.now
    try await gateway.start()
    for number in 0..<120 {
      try gateway.line.send("N=\(number)\n")
      try await Task.sleep(for: .milliseconds(100))
    }
    #expect(await gateway.arrived(120), "\(gateway.daemon.log)")
    #expect(gateway.numbers() == Array(0..<120))
    let seconds = Int((ContinuousClock.now - begin) / .seconds(1)) + 1
    let kinds = server.requests().map(\.kind)
    func count(_ kind: RequestKind) -> Int { kinds.count { $0 == kind } }
    if isMetered {
      // One at once, and one each 10 s.
      #expect(count(.postTelemetry) <= 2 + seconds / 10)
      #expect(count(.postAttributes) <= 3)
      #expect(count(.pollAttributes) + server.openPolls(.pollAttributes) == 0)
      #expect(count(.getAttributes) <= 1 + seconds / 900)
      #expect(count(.pollCommands) <= 3 + seconds / 100, "a look each 5 minutes, no long polls")
      #expect(server.openPolls(.pollCommands) == 0)
    } else {
      #expect(count(.postTelemetry) >= 5)
      #expect(await gateway.isPolling())
      #expect(await gateway.isPolling(.pollAttributes))
    }
    // Silent connections are probed only where that costs nothing.
    let port = try #require(server.port)
    #expect(
      try await eventually {
        let timers = try Self.timers(to: port); return !timers.isEmpty && timers.contains(2) != isMetered
      })
    await gateway.end()
  }

  /// The timer that runs on each connection to a port: 0 none, 1 retransmission, 2 keep-alive. proc_net_tcp(5).
  private static func timers(to port: UInt16) throws -> [Int] {
    // The kernel hands it over a page at a time, and Foundation stops at the first.
    let text = try DaemonProcess.run(["/usr/bin/cat", "/proc/net/tcp"]).output
    return text.split(separator: "\n").dropFirst().compactMap { line in
      let fields = line.split(separator: " ")
      guard fields.count > 5, fields[2].hasSuffix(":" + String(format: "%04X", port)), fields[3] == "01" else {
        return nil
      }
      return Int(fields[5].prefix(2), radix: 16)
    }
  }
}
