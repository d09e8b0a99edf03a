import EventLoop
import Testing

@testable import ThingsBoard

/// `GET /{token}/firmware` and `/software`, contract.md §8 and §9.
@Suite struct PackageChunkTests {
  private func ask(
    _ reply: ScriptedServer.Reply, size: Int = 8, title: String = "t"
  ) throws -> (Outcome<[UInt8]>, Bench) {
    let bench = try Bench([reply])
    let outcome = try bench.run { api, _ in
      await Outcome { () async throws(DeviceAPIError) in
        try await api.packageChunk(.firmware, title: title, version: "1", chunk: 3, size: size)
      }
    }
    return (outcome, bench)
  }

  @Test func theRequestIsAsInTheContract() throws {
    let (outcome, bench) = try ask(.body([1, 2, 3]), title: "a b&c=d/é")
    #expect(outcome == .value([1, 2, 3]))
    #expect(bench.resources == ["firmware?title=a%20b%26c%3Dd%2F%C3%A9&version=1&size=8&chunk=3"])
    let head = try #require(bench.server.requests.first).head.lowercased()
    #expect(head.contains("accept: application/octet-stream"))
    #expect(!head.contains("application/json"))
  }

  @Test func softwareHasItsOwnPath() throws {
    let bench = try Bench([.body([1])])
    _ = try bench.run { api, _ in
      try await api.packageChunk(.software, title: "t", version: "2", chunk: 0, size: 64)
    }
    #expect(bench.resources == ["software?title=t&version=2&size=64&chunk=0"])
  }

  /// Whatever comes is given, up to one byte more than was asked for: what it means is for who counts.
  @Test(arguments: [(0, 0), (7, 7), (8, 8), (9, 9), (100_000, 9)]) func anyLengthIsGiven(_ sent: Int, _ got: Int) throws
  {
    let (outcome, _) = try ask(.body([UInt8](repeating: 7, count: sent)))
    #expect(outcome == .value([UInt8](repeating: 7, count: got)))
  }

  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var reply: ScriptedServer.Reply
    var expected: DeviceAPIError.Code
    init(_ text: String, _ reply: ScriptedServer.Reply, _ expected: DeviceAPIError.Code) {
      testDescription = text
      self.reply = reply
      self.expected = expected
    }
  }

  static let rows = [
    Row("400: another package is assigned", .status(400), .poison),
    Row("404: none is assigned", .status(404), .notFound),
    Row(
      "404 with a page is a proxy's", .status(404, body: "<html>", headers: ["Content-Type: text/html"]),
      .notThingsBoard),
    Row(
      "200 with a page is a portal's", .status(200, body: "<html>", headers: ["Content-Type: text/html"]),
      .notThingsBoard),
    Row("401 is the token", .status(401), .unauthorized), Row("403 is a deleted device", .status(403), .deviceDeleted),
    Row("500 is for later", .status(500), .serverError),
    Row("500 with words is no payload's fault", .status(500, body: "Can't parse", headers: []), .serverError),
    Row("503 is for later", .status(503), .unavailable), Row("302 is not followed", .status(302), .redirected),
    Row("204 is no package", .status(204), .notThingsBoard),
    Row("cut short", .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nabc"), .unreachable),
    Row("reset", .bytesThenReset("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nabc"), .unreachable),
  ]

  @Test(arguments: rows) func whatARefusalMeans(_ row: Row) throws {
    #expect(try ask(row.reply).0 == .failure(row.expected))
  }

  @Test(arguments: ["application/octet-stream", "text/plain", "application/x-tar", "application/json"])
  func aPackageMayBeOfAnyType(_ type: String) throws {
    let (outcome, _) = try ask(.status(200, body: "<abc>", headers: ["Content-Type: \(type)"]))
    #expect(outcome == .value(Array("<abc>".utf8)))
  }

  @Test(arguments: ["Content-Disposition: attachment;filename=a.html", "X-Filename: a.html"])
  func evenHTMLWhereItHasAName(_ header: String) throws {
    let (outcome, _) = try ask(.status(200, body: "<html>", headers: ["Content-Type: text/html", header]))
    #expect(outcome == .value(Array("<html>".utf8)))
  }

  @Test func theTimeLimitGrowsWithTheSize() {
    let timing = Timing()
    #expect(timing.package(64 << 10) == timing.answer + .seconds(64))
    #expect(timing.package(0) == timing.answer)
  }
}
