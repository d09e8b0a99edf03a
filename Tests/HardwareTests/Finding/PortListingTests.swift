import EventLoop
import Foundation
import Telemetry
import Testing

@testable import Hardware
@testable import Listing

/// `baudgate ports` as a value.
@Suite struct PortListingTests {
  static let devices = {
    var a = PortMatchTests.a
    a.links = ["/dev/serial/by-id/usb-FTDI_A50285BI-if00-port0"]
    a.model = "FTDI FT232R USB UART"
    var board = PortMatchTests.board
    (board.number, board.isConsole) = (DeviceNumber(major: 204, minor: 64), true)
    return [board, a, PortMatchTests.b, PortMatchTests.clone]
  }()

  static func surroundings() -> PortListing.Surroundings {
    var surroundings = PortListing.Surroundings()
    surroundings.resolve = { path in
      devices.first { $0.node == path || $0.links.contains(path) }.map { ($0.node, $0.number) }
    }
    for device in devices {
      surroundings.access[device.node] = NodeAccess(owner: 0, group: 20, mode: 0o660, groupName: "dialout")
    }
    surroundings.user = NodeAccess.User(name: "baudgate", id: 990, groups: [990, 20])
    return surroundings
  }

  static func port(_ name: String, _ location: PortLocation) -> (name: String, options: SerialOptions) {
    var options = SerialOptions(path: "")
    options.location = location
    return (name, options)
  }

  static func listing(
    _ ports: [(name: String, options: SerialOptions)]?, _ change: (inout PortListing.Surroundings) -> Void = { _ in }
  ) -> PortListing {
    var surroundings = surroundings()
    change(&surroundings)
    return PortListing(devices, ports: ports, in: surroundings)
  }

  @Test func portsAreFoundByNamesOfAllKinds() {
    let listing = Self.listing([
      Self.port("meter", .path("/dev/serial/by-id/usb-FTDI_A50285BI-if00-port0")),
      Self.port("pump", .match(PortMatch(vendor: "1a86"))), Self.port("far", .tcp(host: "192.0.2.7", port: 4001)),
    ])
    #expect(listing.ports.map(\.state) == [.found, .found, .remote])
    #expect(listing.ports.map(\.node) == ["/dev/ttyUSB0", "/dev/ttyUSB2", nil])
    #expect(listing.lines.map(\.port) == [nil, "meter", nil, "pump"])
    #expect(
      listing.lines.map(\.remarks) == [
        [
          "no port of the configuration asks for it",
          "the kernel writes its messages to it; take its console= off the kernel's command line",
        ], [], ["no port of the configuration asks for it"], [],
      ])
  }

  @Test func twoThatWantOneAndOneThatFitsTwoAreNamed() throws {
    let listing = Self.listing([
      Self.port("meter", .path("/dev/ttyUSB0")), Self.port("twin", .match(PortMatch(serial: "A50285BI"))),
      Self.port("any", .match(PortMatch(vendor: "0403"))), Self.port("gone", .path("/dev/ttyUSB9")),
      Self.port("other", .match(PortMatch(vendor: "10c4"))),
    ])
    #expect(listing.ports.map(\.state) == [.found, .claimed, .ambiguous, .absent, .absent])
    #expect(
      listing.ports[1].reason?.hasPrefix("match serial A50285BI is /dev/ttyUSB0, which belongs to ports.meter") == true)
    #expect(listing.ports[2].reason?.hasSuffix("add `serial:` to the match") == true)
    #expect(listing.ports[3].reason == "/dev/ttyUSB9 is not there: not plugged in, or its name has changed")
    #expect(listing.lines[1].port == "meter")
    #expect(
      listing.lines[1].remarks == ["ports.twin wants it too", "ports.any fits it and others, so takes none"])
    #expect(listing.lines[2].remarks == ["ports.any fits it and others, so takes none"])
  }

  @Test func whoHasItAndWhoMayNotIsSaid() {
    let listing = Self.listing([
      Self.port("meter", .path("/dev/ttyUSB0")), Self.port("modem", .path("/dev/ttyUSB1")),
      Self.port("pump", .path("/dev/ttyUSB2")),
    ]) {
      $0.users["/dev/ttyUSB0"] = [NodeUser(pid: 1, name: "baudgated")]
      $0.users["/dev/ttyUSB1"] = [NodeUser(pid: 2, name: "ModemManager")]
      $0.access["/dev/ttyUSB2"] = NodeAccess(owner: 0, group: 0, mode: 0o600, groupName: "root")
    }
    #expect(listing.ports.map(\.state) == [.found, .inUse, .forbidden])
    #expect(
      listing.ports[1].reason == "/dev/ttyUSB1 is in use by ModemManager (pid 2): stop it, or keep it off this device")
    #expect(
      listing.ports[2].reason
        == "the user baudgate may not open /dev/ttyUSB2 (group root, mode 0600); a udev rule gives it to a group")
    #expect(listing.lines.map(\.mayOpen) == [true, true, true, false])
  }

  @Test func withoutAConfigurationAllAreFree() throws {
    let listing = Self.listing(nil) { $0.hasUdev = false }
    #expect(
      listing.text == """
        DEVICE        ID         SERIAL    IF  DRIVER      PORT  USED BY
        /dev/ttyAMA0                           uart-pl011  free
          the kernel writes its messages to it; take its console= off the kernel's command line
        /dev/ttyUSB0  0403:6001  A50285BI  0   ftdi_sio    free
          FTDI FT232R USB UART
          /dev/serial/by-id/usb-FTDI_A50285BI-if00-port0
          match: {vendor: "0403", product: "6001", serial: "A50285BI"}
        /dev/ttyUSB1  0403:6001  A9GN2B7X  0   ftdi_sio    free
          match: {vendor: "0403", product: "6001", serial: "A9GN2B7X"}
        /dev/ttyUSB2  1a86:7523            0   ftdi_sio    free
          match: {vendor: "1a86", product: "7523"}

        udev's database is not there: links and properties such as ID_PATH are missing
        """)
    #expect(listing.json["ports"] == nil && listing.json["udev"] == .bool(false))
  }

  @Test func theTableAndTheDocumentHaveThePorts() throws {
    let listing = Self.listing([
      Self.port("meter", .match(PortMatch(serial: "A50285BI"))), Self.port("dust", .path("/dev/ttyUSB9")),
    ])
    #expect(
      listing.text.hasSuffix(
        """

        PORT   WHERE                  STATE   DEVICE
        meter  match serial A50285BI  found   /dev/ttyUSB0
        dust   /dev/ttyUSB9           absent
          /dev/ttyUSB9 is not there: not plugged in, or its name has changed
        """))
    guard case .array(let devices) = listing.json["devices"], case .array(let ports) = listing.json["ports"] else {
      Issue.record("no lists")
      return
    }
    #expect(
      devices[1].text
        == #"{"node":"/dev/ttyUSB0","links":["/dev/serial/by-id/usb-FTDI_A50285BI-if00-port0"],"vendor":"0403","#
        + #""product":"6001","serial":"A50285BI","interface":0,"driver":"ftdi_sio","#
        + #""description":"FTDI FT232R USB UART","port":"meter","remarks":[],"may_open":true,"console":false,"#
        + #""used_by":[],"match":"{vendor: \"0403\", product: \"6001\", serial: \"A50285BI\"}","#
        + #""properties":{"ID_PATH":"usb-0:1:1.0"}}"#)
    #expect(
      ports[1].text
        == #"{"name":"dust","location":"/dev/ttyUSB9","state":"absent","node":null,"#
        + #""reason":"/dev/ttyUSB9 is not there: not plugged in, or its name has changed"}"#)
  }

  @Test func nothingAtAll() {
    #expect(
      PortListing([], ports: [], in: PortListing.Surroundings()).text
        == "DEVICE  ID  SERIAL  IF  DRIVER  PORT  USED BY\nno serial line is there\n\nPORT  WHERE  STATE  DEVICE\n"
        + "the configuration has no port")
  }

  @Test(
    arguments: [
      (UInt32(0), Set<UInt32>(), UInt32(0o000), true), (5, [], 0o600, true), (5, [20], 0o060, false),
      (6, [20], 0o060, true), (6, [20], 0o040, false), (6, [20], 0o606, false), (6, [7], 0o006, true),
      (6, [7], 0o660, false),
    ] as [(UInt32, Set<UInt32>, UInt32, Bool)])
  func permissionsAreTheKernels(_ id: UInt32, _ groups: Set<UInt32>, _ mode: UInt32, _ expected: Bool) {
    let access = NodeAccess(owner: 5, group: 20, mode: mode, groupName: "dialout")
    #expect(access.admits(NodeAccess.User(name: "x", id: id, groups: groups)) == expected)
  }

  /// This process, found by the kernel's own list.
  @Test func aProcessThatHasANodeOpenIsSeen() throws {
    let pty = try PseudoTerminal()
    let line = try TTY.open(SerialOptions(path: pty.path))
    let users = NodeUser.all(of: [pty.path])[pty.path]
    #expect(users?.map(\.pid) == [Int(getpid())])
    line.close()
    #expect(NodeUser.all(of: [pty.path]).isEmpty)
    #expect(NodeAccess(of: pty.path)?.owner == geteuid())
  }

  /// Whatever this machine has, it is read without opening any of it.
  @Test func theRealMachineIsRead() throws {
    let pty = try PseudoTerminal()
    let listing = PortListing.read([Self.port("meter", .path(pty.path))])
    #expect(listing.ports.map(\.node) == [pty.path])
    #expect(!listing.text.isEmpty)
  }
}
