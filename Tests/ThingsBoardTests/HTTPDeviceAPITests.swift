import EventLoop
import Glibc
import Testing

@testable import ThingsBoard

/// The libcurl client against a server that misbehaves.
@Suite struct HTTPDeviceAPITests {
  static let batch = TelemetryBatch([.init(timestamp: 1_700_000_000_000, values: Array(#"{"t":21.5}"#.utf8))])

  /// Posts once for each expected outcome and compares.
  private func post(
    to script: [ScriptedServer.Reply], expecting expected: [DeviceAPIError.Code?], token: String = "A1_TEST_TOKEN",
    check: (ScriptedServer) -> Void = { _ in }
  ) throws {
    let server = ScriptedServer(script)
    defer { server.stop() }
    let loop = try EventLoop()
    let url = server.url
    let count = expected.count
    let outcomes = try loop.run { () -> [DeviceAPIError?] in
      let api = try HTTPDeviceAPI(on: loop, server: ServerOptions(url: ServerURL(url)), token: Secret(token))
      var outcomes: [DeviceAPIError?] = []
      for _ in 0..<count {
        do throws(DeviceAPIError) {
          try await api.postTelemetry(Self.batch)
          outcomes.append(nil)
        } catch { outcomes.append(error) }
      }
      return outcomes
    }
    #expect(outcomes.map { $0?.code } == expected)
    for outcome in outcomes { #expect(outcome?.message.contains(token) != true) }
    check(server)
  }

  @Test func oneConnectionServesAllRequests() throws {
    try post(to: [], expecting: [nil, nil, nil]) { server in
      #expect(server.requests.map(\.connection) == [0, 0, 0])
      #expect(server.requests[0].body == #"[{"ts":1700000000000,"values":{"t":21.5}}]"#)
      #expect(server.requests[0].head.hasPrefix("POST /api/v1/A1_TEST_TOKEN/telemetry HTTP/1.1\r\n"))
      #expect(server.requests[0].head.lowercased().contains("content-type: application/json"))
      #expect(!server.requests[0].head.lowercased().contains("expect:"))
    }
  }

  @Test func aTokenIsOnePathSegmentWhateverItHolds() throws {
    try post(to: [], expecting: [nil], token: "a b/../c?d#e") { server in
      #expect(server.requests[0].head.hasPrefix("POST /api/v1/a%20b%2F..%2Fc%3Fd%23e/telemetry HTTP"))
    }
  }

  @Test func trailersBehindAnAnswerDoNotUndoIt() throws {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n0\r\nX-T: 1\r\n\r\n"
    try post(to: [.bytes(answer)], expecting: [nil, nil]) { server in #expect(server.requests.count == 2) }
  }

  @Test func aResetIsARetryOnANewConnection() throws {
    try post(to: [.reset], expecting: [.unreachable, nil]) { server in
      #expect(server.requests.map(\.connection) == [0, 1])
    }
  }

  /// libcurl itself repeats a request whose connection ended before the first header line, so the post may succeed;
  /// then a whole 200 came behind the cut answer.
  @Test(arguments: ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 2", ""])
  func anAnswerCutShortIsNoAcknowledgement(_ answer: String) throws {
    let server = ScriptedServer([.bytesThenClose(answer)])
    defer { server.stop() }
    let loop = try EventLoop()
    let url = server.url
    let error = try loop.run { () -> DeviceAPIError? in
      let api = try HTTPDeviceAPI(on: loop, server: ServerOptions(url: ServerURL(url)), token: Secret("t"))
      do throws(DeviceAPIError) {
        try await api.postTelemetry(Self.batch)
        return nil
      } catch { return error }
    }
    #expect(error?.code == .unreachable || (error == nil && server.requests.count == 2))
  }

  @Test func garbageInsteadOfHTTPIsNoAcknowledgement() throws {
    try post(to: [.bytesThenClose("SSH-2.0-OpenSSH\r\n\r\n")], expecting: [.unreachable, nil])
  }

  @Test func aRedirectIsNotFollowed() throws {
    try post(
      to: [.status(302, body: "", headers: ["Location: http://127.0.0.1:1/api/v1/A1_TEST_TOKEN/telemetry"])],
      expecting: [.redirected]
    ) { server in #expect(server.requests.count == 1) }
  }

  /// libcurl then goes on over a new connection, whose descriptor has the old one's number. Left unwatched, each such
  /// post would wait for a time limit.
  @Test func aServerThatEndsEachConnectionIsNotWaitedFor() throws {
    let count = 100
    let answer = ScriptedServer.Reply.bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    let bench = try Bench([], otherwise: answer)
    var timing = Timing()
    timing.answer = .seconds(5)
    try bench.run(timing: timing) { api, _ in
      for _ in 0..<count { try await api.postTelemetry(Self.batch) }
    }
    #expect(bench.server.requests.count >= count)
  }

  /// As nginx does with a body beyond its limit, which it has not read: the batch must be halved all the same.
  @Test func aRefusalCutShortIsOne() throws {
    try post(
      to: [.bytesThenReset("HTTP/1.1 413 Too Large\r\nContent-Length: 500\r\n\r\n<html>")], expecting: [.tooLarge, nil])
  }

  private func retryAfter(_ text: String) throws -> Duration? {
    let bench = try Bench([.status(429, body: "", headers: ["Retry-After: \(text)"])])
    let error = try bench.run { api, _ in
      await failure { () async throws(DeviceAPIError) in try await api.postTelemetry(Self.batch) }
    }
    #expect(error?.code == .unavailable)
    return error?.retryAfter
  }

  static let delays: [(String, Duration?)] = [
    ("17", .seconds(17)), ("0", .zero), ("-5", .zero), ("999999999", .seconds(86_400)), ("soon", nil), ("", nil),
    ("99999999999999999999", nil), ("Wed, 21 Oct 2015 07:28:00 GMT", .zero),
    ("Fri, 31 Dec 9999 23:59:59 GMT", .seconds(86_400)),
  ]

  @Test(arguments: delays) func retryAfterIsRead(_ text: String, _ expected: Duration?) throws {
    #expect(try retryAfter(text) == expected)
  }

  /// Cloud front ends say when rather than how long.
  @Test func aRetryAfterWithADateIsRead() throws {
    var when = time(nil) + 3600
    var parts = tm()
    gmtime_r(&when, &parts)
    var bytes = [CChar](repeating: 0, count: 64)
    let count = strftime(&bytes, bytes.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
    let delay = try retryAfter(String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self))
    #expect((.seconds(3000) ... .seconds(3600)).contains(delay ?? .zero))
  }

  @Test func aHugeAnswerIsCutNotKept() throws {
    let page = "<html>" + String(repeating: "x", count: 4 << 20)
    try post(to: [.status(200, body: page)], expecting: [.notThingsBoard, nil])
  }

  @Test func aServerThatIsNotThereIsUnreachable() throws {
    let server = ScriptedServer([])
    server.stop()
    let loop = try EventLoop()
    let url = server.url
    let code = try loop.run { () -> DeviceAPIError.Code? in
      let api = try HTTPDeviceAPI(on: loop, server: ServerOptions(url: ServerURL(url)), token: Secret("t"))
      do throws(DeviceAPIError) {
        try await api.postTelemetry(Self.batch)
        return nil
      } catch { return error.code }
    }
    #expect(code == .unreachable)
  }

  /// A server that never answers must not keep the daemon from stopping.
  @Test func aCancelledRequestEndsAtOnce() throws {
    let server = ScriptedServer([.hang])
    defer { server.stop() }
    let loop = try EventLoop()
    let url = server.url
    let codes = try loop.run { () -> [DeviceAPIError.Code?] in
      let api = try HTTPDeviceAPI(on: loop, server: ServerOptions(url: ServerURL(url)), token: Secret("t"))
      let post = Task(executorPreference: loop) { () -> DeviceAPIError.Code? in
        do throws(DeviceAPIError) {
          try await api.postTelemetry(Self.batch)
          return nil
        } catch { return error.code }
      }
      while server.requests.isEmpty { try await loop.sleep(for: .milliseconds(1)) }
      post.cancel()
      let first = await post.value
      // The client still works.
      let second = Task(executorPreference: loop) { () -> DeviceAPIError.Code? in
        do throws(DeviceAPIError) {
          try await api.postTelemetry(Self.batch)
          return nil
        } catch { return error.code }
      }
      return [first, await second.value]
    }
    #expect(codes == [.cancelled, nil])
  }

  @Test func trafficCountsWhatTheConnectionCarried() throws {
    let server = ScriptedServer([])
    defer { server.stop() }
    let loop = try EventLoop()
    let url = server.url
    let traffic = try loop.run { () -> Traffic in
      let api = try HTTPDeviceAPI(on: loop, server: ServerOptions(url: ServerURL(url)), token: Secret("A1_TEST_TOKEN"))
      try await api.postTelemetry(Self.batch)
      try await api.postTelemetry(Self.batch)
      return await api.traffic()
    }
    let expected = server.requests.reduce(0) { $0 + $1.head.utf8.count + 4 + $1.body.utf8.count }
    #expect(traffic.sent == UInt64(expected))
    #expect(traffic.received == UInt64(2 * "HTTP/1.1 200 Words\r\nContent-Length: 0\r\n\r\n".utf8.count))
    #expect(traffic.connections == 1)
  }
}
