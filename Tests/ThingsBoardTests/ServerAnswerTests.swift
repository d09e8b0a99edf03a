import Telemetry
import Testing

@testable import ThingsBoard

/// One row of contract.md §9 each.
@Suite struct ServerAnswerTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var status: Int
    var body: String
    var type: String?
    var expected: DeviceAPIError.Code?
    init(_ text: String, _ status: Int, _ body: String = "", type: String? = nil, _ expected: DeviceAPIError.Code?) {
      testDescription = text
      self.status = status
      self.body = body
      self.type = type
      self.expected = expected
    }
  }

  static let rows = [
    Row("200 with an empty body acknowledges", 200, "", nil),
    Row("200 with a line end acknowledges", 200, "\r\n", nil),
    Row("200 with a login page does not", 200, "<html>Log in</html>", type: "text/html", .notThingsBoard),
    Row("200 with JSON does not", 200, "{}", type: "application/json", .notThingsBoard),
    Row("302 is a wrong URL", 302, "", .redirected),
    Row("400 blames the payload", 400, "bad", .poison),
    Row("400 with nginx's page (http to its https port) is not the payload's", 400, "<html>400", .notThingsBoard),
    Row("… nor is one that only its type tells", 400, "No", type: "text/html; charset=utf-8", .notThingsBoard),
    Row(
      "400 with nginx's page about certificates is the client certificate's", 400,
      "<html><title>400 No required SSL certificate was sent</title>", type: "text/html", .certificate),
    Row("401 is the token", 401, "", .unauthorized),
    Row("401 with a page is a proxy's login", 401, "<html>Log in", .notThingsBoard),
    Row("403 is a deleted device", 403, "Device was deleted!", .deviceDeleted),
    Row("403 with a page is a proxy's", 403, "<html>Forbidden", .notThingsBoard),
    Row("407 is a proxy's", 407, "", .notThingsBoard),
    Row("408 where nobody polls is for later", 408, "", .unavailable),
    Row("404 is a wrong path", 404, "{}", .notFound),
    Row("413 is the size", 413, "\"Payload Too Large\"", .tooLarge),
    Row("500 with a parser's text blames the payload", 500, "Can't parse value: null", .poison),
    Row("… though Spring calls the text JSON", 500, "Can't parse value: 1", type: "application/json", .poison),
    Row("500 with an empty body may be anything", 500, "", .serverError),
    Row("500 with a proxy's page is not the payload's fault", 500, "<html>", type: "text/html", .serverError),
    Row("500 with nothing but the phrase is not the payload's fault", 500, "Internal Server Error\n", .serverError),
    Row("500 with Spring's JSON is not the payload's fault", 500, #"{"status":500}"#, .serverError),
    Row("429 is for later", 429, "", .unavailable),
    Row("502 is for later", 502, "<html>Bad Gateway</html>", .unavailable),
    Row("503 is for later", 503, "", .unavailable),
    Row("504 is for later", 504, "", .unavailable),
  ]

  private func error(_ response: HTTPResponse, _ secret: Secret = Secret("A1_TEST_TOKEN")) -> DeviceAPIError? {
    do throws(DeviceAPIError) {
      try ServerAnswer(response, mask: Mask([secret]), cargo: .payload).acknowledged()
      return nil
    } catch { return error }
  }

  /// Nothing was sent that could be at fault.
  @Test(arguments: [(400, "bad"), (500, "Can't parse value: null")]) func aQuestionIsNoPoison(
    _ status: Int, _ body: String
  ) {
    let response = HTTPResponse(status: status, body: Array(body.utf8), bodyWasCut: false)
    #expect(ServerAnswer(response, mask: Mask([]), cargo: .nothing).refusal?.code == .serverError)
  }

  @Test func noWordOfAnAnswerToProvisioningIsShown() {
    for status in [200, 302, 400, 401, 403, 404, 413, 500, 503] {
      let response = HTTPResponse(status: status, body: Array("WORDS".utf8), bodyWasCut: false)
      let answer = ServerAnswer(response, mask: Mask([]), cargo: .secret)
      #expect(answer.refusal?.message.contains("WORDS") != true)
      #expect(!answer.misshapen("x").message.contains("WORDS"))
      #expect(answer.refusal?.code != .unauthorized)
    }
  }

  @Test(arguments: rows) func meaning(_ row: Row) {
    var response = HTTPResponse(status: row.status, body: Array(row.body.utf8), bodyWasCut: false)
    response.contentType = row.type
    #expect(error(response)?.code == row.expected)
  }

  /// The same over a socket, for all that is posted without a document in return.
  @Test(arguments: rows) func meaningOnTheWire(_ row: Row) throws {
    let reply = ScriptedServer.Reply.status(
      row.status, body: row.body, headers: row.type.map { ["Content-Type: \($0)"] } ?? [])
    let bench = try Bench([], otherwise: reply)
    let key = try Key("a")
    let codes = try bench.run { api, _ in
      [
        await failure { () async throws(DeviceAPIError) in try await api.postTelemetry(HTTPDeviceAPITests.batch) }?
          .code,
        await failure { () async throws(DeviceAPIError) in
          try await api.postAttributes([Reading(key, .bool(true))])
        }?.code,
        await failure { () async throws(DeviceAPIError) in try await api.reply(.null, to: CommandID(1)) }?.code,
        await failure { () async throws(DeviceAPIError) in try await api.claim(secret: nil, duration: nil) }?.code,
      ]
    }
    #expect(codes == Array(repeating: row.expected, count: 4))
    #expect(bench.server.requests.count == 4)
  }

  @Test func noTokenInWhatAServerRepeats() {
    let body = #"{"status":404,"path":"/api/v1/A1_TEST_TOKEN/telemetry"}"#
    let location = "http://portal.example/login?next=/api/v1/A1_TEST_TOKEN/telemetry"
    for status in [200, 302, 400, 404, 500, 503] {
      var response = HTTPResponse(status: status, body: Array(body.utf8), bodyWasCut: false)
      response.location = location
      let error = error(response)
      #expect(error != nil)
      #expect(error?.message.contains("A1_TEST_TOKEN") == false)
    }
  }

  @Test func noPartOfATokenWhereWhatAServerRepeatsIsCut() {
    let token = "A1_TEST_TOKEN"
    for filler in ["x", "é", "€", "😀"] {
      for count in 80...210 {
        let body = String(repeating: filler, count: count) + token
        let response = HTTPResponse(status: 503, body: Array(body.utf8), bodyWasCut: false)
        let message = error(response, Secret(token))?.message ?? token
        #expect(!message.contains("A1_T"))
      }
    }
  }

  @Test func aPageIsQuotedWithinBoundsOnOneLine() {
    let page = String(repeating: "<p>\u{1B}[31m\n", count: 1000)
    let response = HTTPResponse(status: 503, body: Array(page.utf8), bodyWasCut: true)
    let message = error(response, Secret("x"))?.message ?? ""
    #expect(message.count < 300)
    #expect(!message.contains { $0.isNewline || $0 == "\u{1B}" })
  }
}
