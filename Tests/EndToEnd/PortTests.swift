import Foundation
import Simulator
import Testing

/// Which device a port has, and what becomes of it when that goes, moves, or is somebody else's.
@Suite(.serialized) struct PortTests {
  private static let token = GatewayUnderTest.token

  private static func gateway(
    _ lines: [String] = [], _ ports: @escaping (Scratch) -> String, sensors: String
  ) async throws -> GatewayUnderTest {
    try await GatewayUnderTest(ports: lines) { url, scratch in
      """
      server: {url: \(url)}
      device: {token: \(token)}
      ports:
      \(ports(scratch))
      sensors:
      \(sensors)
      """
    }
  }

  private static func port(_ daemon: DaemonProcess, _ name: String) throws -> [String: Any] {
    (try daemon.status()["ports"] as? [String: [String: Any]])?[name] ?? [:]
  }

  private static func isOpen(_ daemon: DaemonProcess, _ name: String, at node: String) async throws -> Bool {
    try await eventually {
      let port = try port(daemon, name)
      return port["state"] as? String == "open" && port["device"] as? String == node
    }
  }

  // MARK: One line

  /// Another device behind the link, as udev makes it when an adapter comes back as another node.
  @Test func aLinkThatLeadsElsewhereIsFollowed() async throws {
    let gateway = try await Self.gateway(
      ["first", "second"], { "  line: {path: \($0.file("by-id")), baud: 115200}" },
      sensors: #"  climate: {port: line, protocol: line, template: "N={n}"}"#)
    let (first, second) = (try gateway.line("first"), try gateway.line("second"))
    let (link, daemon) = (gateway.scratch.file("by-id"), gateway.daemon)
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: first.node)
    try daemon.start()
    #expect(try await Self.isOpen(daemon, "line", at: first.node), "\(daemon.log)")
    try first.send("\nN=1\n")
    #expect(await gateway.arrived(1))
    let (before, after) = (first.node, second.node)
    symlink(after, link + ".new")
    rename(link + ".new", link)
    first.unplug()
    #expect(try await Self.isOpen(daemon, "line", at: after), "\(daemon.log)")
    try second.send("\nN=2\n")
    #expect(await gateway.arrived(2))
    #expect(daemon.log.contains("\(link) hung up") || daemon.log.contains("\(before) hung up"), "\(daemon.log)")
    #expect(daemon.log.contains(after), "where it is now: \(daemon.log)")
    await gateway.end()
  }

  /// One device under two names: the second port is told whose it is, and has it when the first is gone from the file.
  @Test func twoPortsOfOneDevice() async throws {
    let sensors = """
        one-sensor: {port: one, protocol: line, template: "N={n}"}
        two-sensor: {port: two, protocol: line, template: "N={m}"}
      """
    let gateway = try await Self.gateway(
      ["line"], { "  one: {path: \($0.file("tty-line")), baud: 115200}\n  two: {path: NODE, baud: 115200}" },
      sensors: sensors)
    let (daemon, line, scratch) = (gateway.daemon, try gateway.line, gateway.scratch)
    let text = scratch.read("baudgate.yaml").replacingOccurrences(of: "NODE", with: line.node)
    try scratch.write(text, to: "baudgate.yaml")
    try daemon.start()
    #expect(try await eventually { daemon.log.contains("already; a device serves one port") }, "\(daemon.log)")
    let states = try ["one", "two"].map { try Self.port(daemon, $0)["state"] as? String }
    #expect(states.filter { $0 == "open" }.count == 1, "\(states)")
    let (holder, other) = states[0] == "open" ? ("one", "two") : ("two", "one")
    #expect(daemon.log.contains("belongs to ports.\(holder) already"), "\(daemon.log)")
    try line.send("\nN=5\n")
    #expect(await gateway.arrived(1, of: holder == "one" ? "n" : "m"))
    // `ports` goes by the file's order alone.
    let listing = try await gateway.baudgate("ports")
    #expect(listing.output.contains("belongs to ports.one already"), "\(listing.output)")
    let rest = text.split(separator: "\n").filter {
      !$0.hasPrefix("  \(holder):") && !$0.hasPrefix("  \(holder)-sensor:")
    }
    try scratch.write(rest.joined(separator: "\n") + "\n", to: "baudgate.yaml")
    let reload = try await gateway.baudgate("reload")
    #expect(reload.status == 0, "\(reload.errors)")
    let node = line.node
    #expect(try await Self.isOpen(daemon, other, at: node), "\(daemon.log)")
    await gateway.end()
  }

  /// Two daemons want one line: the second says so, and has it when the first is gone.
  @Test func aLineOfAnotherProcess() async throws {
    let sensor = #"  climate: {port: line, protocol: line, template: "N={n}"}"#
    let first = try await Self.gateway(
      ["line"], { "  line: {path: \($0.file("tty-line")), baud: 115200}" }, sensors: sensor)
    let path = try first.line.path
    let second = try await Self.gateway([], { _ in "  line: {path: \(path), baud: 115200}" }, sensors: sensor)
    try await first.start()
    try second.daemon.start()
    let (daemon, node) = (second.daemon, try first.line.node)
    #expect(try await eventually { daemon.log.contains("is in use by another process") }, "\(daemon.log)")
    try first.line.send("N=1\n")
    #expect(await first.arrived(1))
    first.daemon.kill()
    #expect(try await Self.isOpen(daemon, "line", at: node), "\(daemon.log)")
    try first.line.send("\nN=2\n")
    #expect(await second.arrived(1))
    #expect(second.numbers() == [2])
    await first.end()
    await second.end()
  }

  // MARK: Finding

  @Test(.enabled(if: FakeSysfs.obstacle == nil, Comment(rawValue: "no mounts: \(FakeSysfs.obstacle ?? "")")))
  func adaptersAreFoundByWhatTheyAre() async throws {
    let gateway = try await Self.gateway(
      ["link", "adapter", "other"],
      {
        """
          link: {path: \($0.file("tty-link")), baud: 115200}
          meter: {match: {serial: A50285BI}, baud: 115200}
          pair: {match: {vendor: "0403", product: "6001"}, baud: 115200}
          twin: {path: NODE, baud: 115200}
          gone: {path: /dev/ttyNOWHERE, baud: 115200}
          net: {path: "tcp://127.0.0.1:1"}
        """
      }, sensors: #"  climate: {port: meter, protocol: line, template: "N={n}"}"#)
    let (daemon, scratch, link) = (gateway.daemon, gateway.scratch, try gateway.line("link"))
    let (adapter, other) = (try gateway.line("adapter"), try gateway.line("other"))
    try scratch.write(
      scratch.read("baudgate.yaml").replacingOccurrences(of: "NODE", with: link.node), to: "baudgate.yaml")
    let tree = try FakeSysfs(in: scratch)
    try tree.plug("1-1", adapter.node, serial: "A50285BI")
    try tree.plug("1-2", other.node, serial: "FT000001")
    func ports(_ more: String...) throws -> String {
      let words = ["\(DaemonProcess.directory)/baudgate", "ports", "--config", scratch.file("baudgate.yaml")] + more
      let listing = try DaemonProcess.run(tree.wrapper + words)
      #expect(listing.status == 0, "\(listing.errors)")
      return listing.output
    }
    // Nobody's but this test's, which has them open: another program.
    #expect(try ports().contains("\(link.node) is in use by"))
    daemon.wrapper = tree.wrapper
    try daemon.start()
    #expect(try await Self.isOpen(daemon, "meter", at: adapter.node), "\(daemon.log)")
    try adapter.send("\nN=1\n")
    #expect(await gateway.arrived(1))
    #expect(try await eventually { daemon.log.contains("pair: ") && daemon.log.contains("so none is opened") })
    for line in [link, adapter, other] { line.letGo() }
    let table = try ports()
    let rows = table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    let user = ["baudgated", "(pid", "\(daemon.pid))"]
    #expect(rows.contains([adapter.node, "0403:6001", "A50285BI", "0", "meter"] + user), "\(table)")
    #expect(rows.contains([other.node, "0403:6001", "FT000001", "0", "free"]), "\(table)")
    #expect(table.contains(#"match: {vendor: "0403", product: "6001", serial: "A50285BI"}"#), "\(table)")
    #expect(table.contains("ports.pair fits it and others, so takes none"), "\(table)")
    let object = try JSONSerialization.jsonObject(with: Data(ports("--json").utf8)) as? [String: Any]
    let list = try #require(object?["ports"] as? [[String: Any]])
    let states = list.map { "\($0["name"] ?? "") \($0["state"] ?? "")" }
    #expect(
      states == ["link found", "meter found", "pair ambiguous", "twin claimed", "gone absent", "net remote"])
    let devices = try #require(object?["devices"] as? [[String: Any]])
    #expect(devices.map { $0["node"] as? String ?? "" }.sorted() == [adapter.node, other.node].sorted())
    let meter = devices.first { $0["node"] as? String == adapter.node }
    #expect(meter?["port"] as? String == "meter")
    #expect((meter?["used_by"] as? [[String: Any]])?.first?["pid"] as? Int == Int(daemon.pid))
    // Pulled, and plugged in elsewhere, where it is another node.
    let before = adapter.node
    try tree.unplug("1-1", before)
    adapter.unplug()
    #expect(try await eventually { try Self.port(daemon, "meter")["device"] is NSNull }, "\(daemon.log)")
    #expect(try ports().contains("nothing fits match serial A50285BI"))
    // The number of the one before may be given to whoever comes next.
    let filler = try PtyLine(scratch.file("filler"))
    try adapter.plug()
    try tree.plug("1-3", adapter.node, serial: "A50285BI")
    #expect(adapter.node != before)
    #expect(try await Self.isOpen(daemon, "meter", at: adapter.node), "\(daemon.log)")
    try adapter.send("\nN=2\n")
    #expect(await gateway.arrived(2))
    #expect(gateway.numbers() == [1, 2])
    #expect(
      daemon.log.split(separator: "\n").contains { $0.contains("is open again") && $0.contains(adapter.node) },
      "\(daemon.log)")
    filler.unplug()
    await gateway.end()
  }

  // MARK: Serial servers

  /// The server ends the connection, breaks it, closes half of it and is away for a while: what it has sent is there.
  @Test func aSerialServerThatComesAndGoes() async throws {
    let server = try SerialServer()
    let gateway = try await Self.gateway(
      [], { _ in #"  remote: {path: "tcp://127.0.0.1:\#(server.port)", baud: 9600}"# },
      sensors: #"  climate: {port: remote, protocol: line, template: "N={n}"}"#)
    let daemon = gateway.daemon
    try daemon.start()
    var sent = 0
    func send(_ count: Int) throws {
      // Ends what the daemon drops after opening, since it may be half a line.
      try server.send("\n")
      for _ in 0..<count {
        sent += 1
        try server.send("N=\(sent)\n")
      }
    }
    try server.accept()
    try send(200)
    // Half a line is none, and goes with its connection.
    try server.send("N=9")
    server.hangUp()
    try server.accept()
    try send(50)
    server.closeHalf()
    try server.accept()
    #expect(daemon.log.contains("closed the connection"), "\(daemon.log)")
    try send(50)
    // Broken rather than ended: what has not arrived by then is nobody's to have.
    #expect(await gateway.arrived(sent), "\(gateway.numbers().count) of \(sent); the log:\n\(daemon.log)")
    server.hangUp(resetting: true)
    server.vanish()
    #expect(try await eventually { try Self.port(daemon, "remote")["state"] as? String != "open" })
    try server.listen()
    try server.accept()
    try send(50)
    #expect(await gateway.arrived(sent), "\(gateway.numbers().count) of \(sent); the log:\n\(daemon.log)")
    #expect(gateway.numbers() == Array(1...sent))
    // And the other way.
    let reply = await gateway.ask("serialWrite", #"{"port":"remote","text":"LED=1\n"}"#)
    #expect(reply == #"{"written":6}"#)
    #expect(server.line() == "LED=1\n")
    #expect(daemon.terminate() == 0)
    await gateway.end()
  }

  // MARK: Register maps

  /// Registers that overlap, in the file and with a map of ours: refused with their place.
  @Test func overlappingRegistersAreRefusedWithTheirPlace() async throws {
    let scratch = try Scratch()
    let text = """
      server: {url: http://127.0.0.1:1}
      device: {token: T0KEN}
      ports: {bus: {path: /dev/ttyS0, baud: 9600}}
      sensors:
        unit:
          port: bus
          protocol: modbus_rtu
          unit: 1
          registers:
            energy: {input: 10, type: uint32}
            power: {input: 11}

      """
    try scratch.write(text, to: "overlap.yaml")
    let check = try DaemonProcess.run(["\(DaemonProcess.directory)/baudgate", "check", scratch.file("overlap.yaml")])
    #expect(check.status == 78)
    let line = check.errors.split(separator: "\n").first { $0.contains("they overlap") } ?? ""
    #expect(line.contains("overlap.yaml:11:7: "), "\(check.errors)")
    #expect(line.contains("registers.power takes input 11"), "\(check.errors)")
    let daemon = DaemonProcess(in: scratch, configuration: "overlap.yaml")
    try daemon.launch()
    #expect(daemon.wait() == 78)
  }
}
