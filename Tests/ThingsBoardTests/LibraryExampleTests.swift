import EventLoop
import Foundation
import Testing

/// docs/thingsboard-library.md shows code that compiles and runs.
@Suite struct LibraryExampleTests {
  @Test func theExampleRuns() throws {
    let server = ScriptedServer([
      .status(200, body: #"{"status":"SUCCESS","credentialsType":"ACCESS_TOKEN","credentialsValue":"GIVEN"}"#),
      .status(200),
      .status(200, body: #"{"id":1,"method":"paint","params":{}}"#),
      .status(200),
      .status(200, body: #"{"id":2,"method":"stop","params":{}}"#),
    ])
    defer { server.stop() }
    let loop = try EventLoop()
    let url = server.url
    try loop.run { try await livePump(on: loop, at: url) }
    let lines = server.requests.map { $0.head.split(separator: " ").prefix(2).joined(separator: " ") }
    #expect(
      lines == [
        "POST /api/v1/provision", "POST /api/v1/GIVEN/telemetry", "GET /api/v1/GIVEN/rpc?timeout=25000",
        "POST /api/v1/GIVEN/rpc/1", "GET /api/v1/GIVEN/rpc?timeout=25000", "POST /api/v1/GIVEN/rpc/2",
      ])
    #expect(server.requests[1].body.hasSuffix(#""values":{"temperature":21.0,"running":true}}]"#))
    #expect(server.requests[3].body == #"{"done":false}"#)
    #expect(server.requests[5].body == #"{"done":true}"#)
  }

  @Test func theExampleIsThePages() throws {
    let here = URL(fileURLWithPath: #filePath)
    let example = try String(
      contentsOf: here.deletingLastPathComponent().appendingPathComponent("LibraryExample.swift"), encoding: .utf8)
    let root = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let page = try String(
      contentsOf: root.appendingPathComponent("docs/thingsboard-library.md"), encoding: .utf8)
    #expect(page.contains("```swift\n\(example)```\n"))
  }
}
