import EventLoop
import Foundation
import Telemetry
import Testing

@testable import Hardware

/// Serial servers, most of them bad ones.
@Suite struct TCPStreamTests {
  static func options(_ port: UInt16, host: String = "127.0.0.1") -> SerialOptions {
    var options = SerialOptions(path: "")
    options.location = .tcp(host: host, port: port)
    return options
  }

  /// A connection, with the server's end of it.
  static func open(_ server: StubbornServer) throws -> (line: any ByteStream, client: CInt) {
    let line = try openStream(options(server.port))
    return (line, server.accepted())
  }

  /// Reads until the connection is lost.
  static func readToEnd(_ line: any ByteStream) throws -> (bytes: [UInt8], error: PortError?) {
    var bytes: [UInt8] = []
    while isReadable(line.descriptor) {
      do throws(PortError) { bytes += try line.read(atMost: 4096)?.bytes ?? [] } catch { return (bytes, error) }
    }
    return (bytes, nil)
  }

  @Test func bytesGoBothWaysAsTheyAre() throws {
    let server = try StubbornServer()
    let (line, client) = try Self.open(server)
    // Telnet's IAC, 0xFF, among them: nothing is escaped.
    let all = (0...255).map { UInt8($0) }
    #expect(try line.write(all[...]) == 256)
    var received = [UInt8](repeating: 0, count: 256)
    #expect(recv(client, &received, 256, CInt(MSG_WAITALL)) == 256)
    #expect(received == all)
    #expect(send(client, all, 256, 0) == 256)
    #expect(try TTYTests.take(256, from: line) == all)
    #expect(try line.read(atMost: 10) == nil)
    #expect(line.readCounters() == nil)
    #expect(line.granted == Self.options(server.port))
    line.close()
    line.close()
  }

  @Test func aTrickleArrivesByteByByte() throws {
    let server = try StubbornServer()
    let (line, client) = try Self.open(server)
    for byte in Array("21.5\n".utf8) {
      #expect(send(client, [byte], 1, 0) == 1)
      #expect(isReadable(line.descriptor))
      #expect(try line.read(atMost: 100)?.bytes == [byte])
    }
  }

  struct End: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let end: @Sendable (StubbornServer, CInt) -> Void
    let errno: CInt?
  }

  @Test(arguments: [
    End(testDescription: "closed in order", end: { $0.end($1) }, errno: nil),
    End(testDescription: "half closed", end: { _ = shutdown($1, CInt(SHUT_WR)) }, errno: nil),
    End(testDescription: "reset", end: { $0.end($1, reset: true) }, errno: ECONNRESET),
  ])
  func anEndedConnectionIsGone(_ row: End) throws {
    let server = try StubbornServer()
    let (line, client) = try Self.open(server)
    row.end(server, client)
    let (bytes, error) = try Self.readToEnd(line)
    #expect(bytes == [])
    #expect(error?.code == .gone)
    #expect(error?.cause?.errno == row.errno)
    #expect(
      error?.message == "tcp://127.0.0.1:\(server.port) closed the connection: restarted, or serving somebody else")
  }

  @Test func whatCameBeforeTheEndIsRead() throws {
    let server = try StubbornServer()
    let (line, client) = try Self.open(server)
    #expect(send(client, Array("last\n".utf8), 5, 0) == 5)
    server.end(client)
    let (bytes, error) = try Self.readToEnd(line)
    #expect(bytes == Array("last\n".utf8))
    #expect(error?.code == .gone)
  }

  /// The first write after a reset meets it, and no SIGPIPE comes of the second.
  @Test func writingToABrokenConnectionIsGone() throws {
    let server = try StubbornServer()
    let (line, client) = try Self.open(server)
    server.end(client, reset: true)
    #expect(isReadable(line.descriptor))
    for _ in 0..<2 {
      let error = #expect(throws: PortError.self) { try line.write([1]) }
      #expect(error?.code == .gone)
    }
  }

  @Test func aServerThatNeverReadsIsFullSoon() throws {
    let server = try StubbornServer()
    let (line, _) = try Self.open(server)
    let chunk = [UInt8](repeating: 0x55, count: 4096)
    var (sent, taken) = (0, 0)
    // The other side's kernel takes what its own buffer holds, 6 MB at most (net.ipv4.tcp_rmem).
    for _ in 0..<4096 {
      taken = try line.write(chunk[...])
      sent += taken
      if taken == 0 { break }
    }
    #expect(taken == 0)
    #expect(sent > 0)
  }

  @Test func whoListensNotRefuses() throws {
    let server = try StubbornServer()
    server.stop()
    let error = #expect(throws: PortError.self) { try openStream(Self.options(server.port)) }
    #expect(error?.code == .absent)
    #expect(error?.cause?.errno == ECONNREFUSED)
    #expect(error?.message.hasPrefix("tcp://127.0.0.1:\(server.port) refuses: ") == true)
  }

  @Test func whoDoesNotAnswerIsGivenUp() throws {
    let server = try StubbornServer(backlog: 0)
    try server.fillQueue()
    let error = #expect(throws: PortError.self) {
      try TCPStream(
        Self.options(server.port), host: "127.0.0.1", port: server.port, within: .milliseconds(100))
    }
    #expect(error?.code == .absent)
    #expect(error?.cause == SystemError("connect", errno: ETIMEDOUT))
    #expect(error?.message.contains("does not answer") == true)
  }

  /// `localhost` is ::1, too, on most machines, where nobody listens.
  @Test func allAddressesOfANameAreTried() throws {
    let server = try StubbornServer()
    let line = try openStream(Self.options(server.port, host: "localhost"))
    #expect(server.accepted() >= 0)
    line.close()
  }

  @Test func aMatchIsNotOpened() {
    var options = SerialOptions(path: "")
    options.location = .match(PortMatch(vendor: "0403"))
    let error = #expect(throws: PortError.self) { try openStream(options) }
    #expect(error?.code == .failed)
  }

  @Test(arguments: [
    (EAI_NONAME, PortError.Code.absent, "no address is known for meter.lan"),
    (EAI_AGAIN, .absent, "no name server says what meter.lan is"),
    (EAI_FAIL, .failed, "cannot look meter.lan up: "),
    (EAI_SYSTEM, .failed, "cannot look meter.lan up (getaddrinfo: "),
  ])
  func namesThatAreNotFound(_ code: CInt, _ expected: PortError.Code, _ words: String) {
    let error = PortError.lookingUp("meter.lan", "tcp://meter.lan:4001", code, EMFILE)
    #expect(error.code == expected)
    #expect(error.description.hasPrefix("tcp://meter.lan:4001: \(words)"))
  }

  @Test(arguments: [
    (EHOSTUNREACH, PortError.Code.absent), (ENETUNREACH, .absent), (EACCES, .forbidden), (ECONNRESET, .absent),
    (EMFILE, .failed), (EINVAL, .failed),
  ])
  func connectionsThatFail(_ errno: CInt, _ expected: PortError.Code) {
    let error = PortError.connecting("tcp://192.0.2.7:4001", SystemError("connect", errno: errno))
    #expect(error.code == expected)
    #expect(error.message.contains("tcp://192.0.2.7:4001"))
    #expect(error.cause?.errno == errno)
  }

  // MARK: As a port

  @Test func aPortComesBackWhenItsServerDoes() throws {
    let server = try StubbornServer()
    try onLoop { loop in
      let bench = PortBench(loop, Self.options(server.port), open: openStream)
      await bench.start()
      let first = server.accepted()
      #expect(send(first, Array("1\n".utf8), 2, 0) == 2)
      await bench.until { $0.received == Array("1\n".utf8) }
      server.end(first)
      await bench.until { $0.openings == 2 }
      let second = server.accepted()
      try await bench.port.write(Array("2\n".utf8))
      var answer = [UInt8](repeating: 0, count: 2)
      #expect(recv(second, &answer, 2, CInt(MSG_WAITALL)) == 2)
      #expect(answer == Array("2\n".utf8))
      #expect(bench.story == "opened received lost opened")
      #expect(
        bench.log.told.first == "info: meter: tcp://127.0.0.1:\(server.port) is open (TCP)")
      await bench.port.stop()
    }
  }

  @Test func aStopDoesNotWaitForAServerThatDoesNotAnswer() throws {
    let server = try StubbornServer(backlog: 0)
    try server.fillQueue()
    try onLoop { loop in
      // Its attempt takes far longer than a test may.
      let bench = PortBench(loop, Self.options(server.port), open: openStream)
      await bench.port.start()
      #expect(await bench.port.status.state == .opening)
      await bench.port.stop()
      #expect(await bench.port.status.state == .closed)
      #expect(bench.story == "")
    }
  }
}
