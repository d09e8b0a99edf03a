import EventLoop
import Foundation
import Testing

@testable import Hardware

/// Real lines, found and claimed by names of all kinds.
@Suite struct PortFinderTests {
  static func options(_ location: PortLocation) -> SerialOptions {
    var options = SerialOptions(path: "")
    options.location = location
    return options
  }

  static func code(_ body: () throws -> any ByteStream) -> PortError.Code? {
    do { _ = try body() } catch { return (error as? PortError)?.code }
    return nil
  }

  @Test func pathLinkAndMatchOfOneDeviceAreOne() throws {
    let ttys = try FakeTTYs()
    let pty = try PseudoTerminal()
    try ttys.plug(pty, at: "1-1", serial: "A1")
    let link = try PortLink(to: pty.path)
    let finder = PortFinder(ttys.inventory(), open: TTY.open)
    let names: [PortLocation] = [.path(pty.path), .path(link.path), .match(PortMatch(vendor: "0403", serial: "A1"))]
    for (index, first) in names.enumerated() {
      let line = try finder.opener(for: "first")(Self.options(first))
      #expect(line.granted.location == .path(pty.path))
      for second in names[index...] + names[..<index] {
        let error = #expect(throws: PortError.self) { try finder.opener(for: "second")(Self.options(second)) }
        #expect(error == .claimed(second, pty.path, by: "first"))
      }
      line.close()
      #expect(finder.claims.all.isEmpty)
      let other = try finder.opener(for: "second")(Self.options(first))
      other.close()
    }
    #expect(
      PortError.claimed(.path(link.path), pty.path, by: "first").message
        == "\(link.path) is \(pty.path), which belongs to ports.first already; a device serves one port, so correct one of "
        + "the two")
    #expect(
      PortError.claimed(.path(pty.path), pty.path, by: "first").message.hasPrefix("\(pty.path) belongs to ports.first"))
  }

  @Test func whatCannotBeOpenedIsNotKept() throws {
    let ttys = try FakeTTYs()
    let pty = try PseudoTerminal()
    try ttys.plug(pty, at: "1-1", serial: "A1")
    let busy = PortError(code: .inUse, message: "in use")
    let finder = PortFinder(ttys.inventory()) { (_: SerialOptions) throws(PortError) in throw busy }
    for location in [PortLocation.path(pty.path), .match(PortMatch(serial: "A1"))] {
      #expect(Self.code { try finder.opener(for: "a")(Self.options(location)) } == .inUse)
      #expect(finder.claims.all.isEmpty)
    }
  }

  @Test func aPathThatIsNotThereIsSaidByTheOpening() throws {
    let finder = PortFinder(try FakeTTYs().inventory(), open: TTY.open)
    let missing = try PortLink().path
    #expect(Self.code { try finder.opener(for: "a")(Self.options(.path(missing))) } == .absent)
    #expect(Self.code { try finder.opener(for: "a")(Self.options(.path("/"))) } == .notATerminal)
    #expect(Self.code { try finder.opener(for: "a")(Self.options(.match(PortMatch(serial: "A1")))) } == .absent)
  }

  @Test func twoThatFitAreNotOpened() throws {
    let ttys = try FakeTTYs()
    let (a, b) = (try PseudoTerminal(), try PseudoTerminal())
    try ttys.plug(a, at: "1-1", serial: "A1")
    try ttys.plug(b, at: "1-2", serial: "B1")
    let finder = PortFinder(ttys.inventory(), open: TTY.open)
    #expect(Self.code { try finder.opener(for: "a")(Self.options(.match(PortMatch(vendor: "0403")))) } == .ambiguous)
    let line = try finder.opener(for: "a")(Self.options(.match(PortMatch(serial: "B1"))))
    #expect(line.granted.path == b.path)
    line.close()
  }

  /// Pulled between looking and opening, and its name given to another.
  @Test func aDeviceThatWasExchangedMeanwhileIsNotServed() throws {
    let ttys = try FakeTTYs()
    let pty = try PseudoTerminal()
    let directory = try ttys.plug(pty, at: "1-1", serial: "A1")
    let finder = PortFinder(ttys.inventory()) { (options: SerialOptions) throws(PortError) in
      try? ttys.unplug(directory)
      _ = try? ttys.plug(pty, at: "1-2", serial: "B1")
      return try TTY.open(options)
    }
    #expect(Self.code { try finder.opener(for: "a")(Self.options(.match(PortMatch(serial: "A1")))) } == .gone)
    #expect(finder.claims.all.isEmpty)
    // A link that leads elsewhere by then.
    let other = try PseudoTerminal()
    let swapped = PortFinder(ttys.inventory()) { (options: SerialOptions) throws(PortError) in
      var options = options
      options.location = .path(other.path)
      return try TTY.open(options)
    }
    #expect(Self.code { try swapped.opener(for: "a")(Self.options(.path(pty.path))) } == .gone)
    let line = try TTY.open(SerialOptions(path: other.path))
    line.close()
  }

  @Test func aServersSocketIsNoDeviceHere() throws {
    let stream = ScriptedStream(SerialOptions(path: "x"))
    let finder = PortFinder(try FakeTTYs().inventory()) { (_: SerialOptions) throws(PortError) in stream }
    let line = try finder.opener(for: "a")(Self.options(.tcp(host: "192.0.2.7", port: 4001)))
    #expect(line === stream && finder.claims.all.isEmpty)
  }

  @Test func aLineThatIsClosedTwiceOrLateReleasesItsOwnClaimAlone() throws {
    let claims = PortClaims()
    let number = DeviceNumber(major: 188, minor: 0)
    let first = try claims.take(number, nil, for: "a").get()
    // The port's next opening may begin before its last closing has ended.
    let second = try claims.take(number, nil, for: "a").get()
    claims.release(first)
    claims.release(first)
    #expect(claims.all == [second])
    #expect(throws: PortClaims.Holder.self) { try claims.take(number, nil, for: "b").get() }
    claims.release(second)
    _ = try claims.take(number, nil, for: "b").get()
  }
}
