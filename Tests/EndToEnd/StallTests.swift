import Foundation
import Simulator
import Testing

/// What stalls must not hold up the serial line: at 115,200 baud no byte is lost meanwhile.
@Suite(.serialized) struct StallTests {
  /// Sends as 115,200 baud does, 11,520 bytes a second, for as long as the fault lasts.
  private func streamDuring(
    _ fault: String, seconds: Int, url: String? = nil, more: String = "",
    whileStalled: (GatewayUnderTest) async throws -> Void = { _ in }
  ) async throws -> (gateway: GatewayUnderTest, sent: Int) {
    let library = try #require(Interposer.library, "cc cannot build the interposer")
    let gateway = try await GatewayUnderTest(
      [("line", #"template: "N={n},{_}""#)], more: more, url: url,
      environment: ["LD_PRELOAD": library, "WATCHDOG_USEC": "10000000"])
    try gateway.scratch.write("", to: "faults/\(fault)")
    try await gateway.start()
    let line = try gateway.line
    var sent = 0
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      // 16 ms of line time, as a USB adapter hands it over.
      var burst = ""
      while burst.utf8.count < 184 {
        // Long enough that one key does not get more than a value a millisecond.
        burst += "N=\(sent),filling.the.line\n"
        sent += 1
      }
      try line.send(burst)
      gateway.daemon.takeNotifications()
      try await Task.sleep(for: .milliseconds(16))
    }
    #expect(FileManager.default.fileExists(atPath: gateway.scratch.file("faults/\(fault).seen")), "never stalled")
    try await whileStalled(gateway)
    try FileManager.default.removeItem(atPath: gateway.scratch.file("faults/\(fault)"))
    return (gateway, sent)
  }

  private static let seconds = Int(ProcessInfo.processInfo.environment["BAUDGATE_STALL_SECONDS"] ?? "") ?? 5

  @Test func aSilentNameServer() async throws {
    let (gateway, sent) = try await streamDuring(
      "getaddrinfo", seconds: Self.seconds + 7, url: "http://baudgate-test.invalid:1")
    let status = try gateway.daemon.status()
    let sensor = (status["sensors"] as? [String: [String: Any]])?["line-sensor"]
    #expect(sensor?["samples"] as? Int == sent, "\(gateway.daemon.log)")
    let told = gateway.daemon.log.split(separator: "\n").filter {
      $0.contains("baudgate-test.invalid") && $0.hasPrefix("<4>")
    }
    #expect(told.count == 1, "\(gateway.daemon.log)")
    #expect(gateway.daemon.isRunning)
    await gateway.end()
  }

  @Test func aCardThatStalls() async throws {
    // Readings keep flowing to the server while the card does not answer.
    let (gateway, sent) = try await streamDuring(
      "fdatasync", seconds: Self.seconds + 6, more: "queue: {persist_after: 0s}\n"
    ) {
      gateway in
      let server = gateway.server
      #expect(await server.wait(upTo: .seconds(10)) { server.count(of: "n") > 100 }, "\(gateway.daemon.log)")
    }
    #expect(await gateway.arrived(sent), "\(gateway.daemon.log)")
    #expect(gateway.numbers() == Array(0..<sent))
    #expect(gateway.daemon.terminate() == 0)
    #expect(
      gateway.daemon.log.split(separator: "\n").filter { $0.hasPrefix("<4>") }.count <= 2, "\(gateway.daemon.log)")
    await gateway.end()
  }

  @Test func aJournalThatDoesNotRead() async throws {
    let library = try #require(Interposer.library, "cc cannot build the interposer")
    let gateway = try await GatewayUnderTest(environment: ["LD_PRELOAD": library, "WATCHDOG_USEC": "10000000"])
    // The daemon takes stderr for the journal's where $JOURNAL_STREAM names the same file (systemd.exec(5)).
    try gateway.scratch.write("", to: "log")
    var status = stat()
    #expect(stat(gateway.scratch.file("log"), &status) == 0)
    gateway.daemon.environment["JOURNAL_STREAM"] = "\(status.st_dev):\(status.st_ino)"
    try gateway.scratch.write("", to: "faults/journal")
    try await gateway.start()
    let line = try gateway.line
    let end = ContinuousClock.now + .seconds(Self.seconds + 1)
    var sent = 0
    while ContinuousClock.now < end {
      try line.send("N=\(sent)\nrubbish\n")
      sent += 1
      gateway.daemon.takeNotifications()
      try await Task.sleep(for: .milliseconds(16))
    }
    #expect(await gateway.arrived(sent))
    try FileManager.default.removeItem(atPath: gateway.scratch.file("faults/journal"))
    let scratch = gateway.scratch
    #expect(try await eventually { scratch.read("faults/entries").contains("the log was not read for") })
    let entries = scratch.read("faults/entries")
    #expect(entries.contains("BAUDGATE_SENSOR=line-sensor") && entries.contains("BAUDGATE_PORT=line"), "\(entries)")
    #expect(entries.contains("PRIORITY=4") && entries.contains("SYSLOG_IDENTIFIER=baudgated"))
    #expect(!entries.contains(GatewayUnderTest.token))
    #expect(gateway.numbers() == Array(0..<sent))
    #expect(gateway.daemon.terminate() == 0)
    await gateway.end()
  }
}
