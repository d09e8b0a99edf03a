import Foundation
import Testing

@testable import Simulator

/// The rows of `server-answers.jsonl` beyond values: what the real server made of commands, calls, claims, provisioning.
@Suite(.enabled(if: AnswerFile.exists, "\(AnswerFile.path) is absent: BAUDGATE_SERVER_ANSWERS names the file"))
struct RequestAnswersTests {
  private struct Line {
    var body: String
    var answer: LiteralJSON
  }

  private static func lines(_ call: String, atLeast count: Int) throws -> [Line] {
    let lines = try AnswerFile.lines().compactMap { line -> Line? in
      guard line["cmd"]?.asText == call, let body = AnswerFile.body(of: line), let answer = line["answer"] else {
        return nil
      }
      return Line(body: String(decoding: body, as: UTF8.self), answer: answer)
    }
    #expect(lines.count >= count)
    return lines
  }

  @Test("Claims")
  func claims() async throws {
    try await ServerBench.run { bench in
      for line in try Self.lines("claim", atLeast: 11) {
        let answer = try await bench.post("/api/v1/T/claim", line.body)
        if try expectError(line, answer) { continue }
        #expect(bench.server.claims.last?.secret == line.answer["secretKey"]?.asText, "\(line.body)")
        #expect(bench.server.claims.last.map { "\($0.duration)" } == line.answer["durationMs"]?.asText, "\(line.body)")
      }
    }
  }

  @Test("Client-side RPC")
  func calls() async throws {
    try await ServerBench.run { bench in
      bench.server.setCallHandler { _, _ in "" }
      for line in try Self.lines("rpc-request", atLeast: 9) {
        let answer = try await bench.post("/api/v1/T/rpc", line.body)
        if try expectError(line, answer) { continue }
        #expect(bench.server.calls.last?.method == line.answer["method"]?.asText, "\(line.body)")
        #expect(bench.server.calls.last?.params == line.answer["params"]?.text, "\(line.body)")
      }
    }
  }

  @Test("Server-side RPC as a poll gets it")
  func commands() async throws {
    try await ServerBench.run { bench in
      for line in try Self.lines("rpc-command", atLeast: 9) {
        guard let expected = line.answer.asText else { continue }
        let command = try LiteralJSON.parse(Array(line.body.utf8)).document
        bench.server.restartMemory()
        bench.server.sendCommand(
          command["method"]?.asText ?? "", params: command["params"]?.asText ?? "", token: "T", oneWay: true)
        let answer = try await bench.get("/api/v1/T/rpc").body
        #expect(answer == expected.replacingOccurrences(of: #"{"id":1,"#, with: #"{"id":0,"#))
      }
    }
  }

  @Test("Replies of any text")
  func replies() async throws {
    try await ServerBench.run { bench in
      for line in try Self.lines("rpc-reply", atLeast: 4) {
        #expect(try await bench.post("/api/v1/T/rpc/0", line.body).status == 200)
        #expect(bench.server.reply(to: 0, token: "T")?.replies.last?.text == line.answer.asText)
      }
    }
  }

  @Test("Requests for provisioning")
  func provisioning() async throws {
    try await ServerBench.run { bench in
      for line in try Self.lines("provision-request", atLeast: 11) {
        if line.answer["http_status"] != nil {
          let answer = try await bench.post("/api/v1/provision", line.body)
          // The contract knows more than the converter: a missing field's message comes out.
          if line.answer["error"]?.asText != "java.lang.RuntimeException" {
            #expect(try expectError(line, answer))
            continue
          }
          #expect(answer.status == 500)
          let document = try LiteralJSON.parse(Array(answer.body.utf8)).document
          #expect(document["message"] == line.answer["message"])
          continue
        }
        let request = try ProvisionRequest(Array(line.body.utf8))
        let fields = [
          "deviceName": request.deviceName, "token": request.token, "clientId": request.clientID,
          "username": request.userName, "password": request.password, "hash": request.hash,
          "credentialsType": request.credentialsType.rawValue, "provisionDeviceKey": request.key,
          "provisionDeviceSecret": request.secret,
        ]
        for (name, value) in fields { #expect(line.answer[name]?.asText == value, "\(name) of \(line.body)") }
      }
    }
  }

  @Test("Refusals of provisioning, word for word")
  func refusals() throws {
    let texts = try Self.lines("provision-response", atLeast: 6).compactMap(\.answer.asText)
    #expect(texts.contains(ProvisionRegistry.Answer.notFound.text))
    #expect(texts.contains(ProvisionRegistry.Answer.failure.text))
    #expect(texts.contains(ProvisionRegistry.Answer.success(.accessToken, value: "\"tok\"").text))
  }

  /// - Returns: Whether the row is an error, which then was compared.
  private func expectError(_ line: Line, _ answer: RawClient.Answer) throws -> Bool {
    guard let status = line.answer["http_status"]?.asText else {
      #expect(answer.status == 200, "\(line.body)")
      return false
    }
    #expect("\(answer.status)" == status, "\(line.body)")
    #expect(answer.body == line.answer["http_body"]?.asText ?? "", "\(line.body)")
    return true
  }
}
