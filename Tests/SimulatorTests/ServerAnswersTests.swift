import Foundation
import Telemetry
import Testing

@testable import Simulator

/// `server-answers.jsonl` has what the real server's converter made of hundreds of bodies.
@Suite struct ServerAnswersTests {
  /// Rows with strict JSON among the calls below; fewer means that the comparison has stopped to compare.
  static let leastRows = 200

  @Test(
    "The converter agrees with the real server on every body that is strict JSON",
    .enabled(if: AnswerFile.exists, "\(AnswerFile.path) is absent: BAUDGATE_SERVER_ANSWERS names the file"))
  func agrees() throws {
    var converter = ValueConverter()
    var compared = 0
    var lenient = 0
    var disagreements: [String] = []
    for (index, line) in try AnswerFile.lines().enumerated() {
      let call = try #require(line["cmd"]?.string)
      if call == "config" {
        let options = try LiteralJSON.parse(Array((line["body"]?.string ?? "").utf8)).document
        if case .bool(let typeCast)? = options["typeCast"] { converter.typeCast = typeCast }
        if case .number(let length)? = options["maxStringLength"] { converter.maxStringLength = Int(length) ?? 0 }
        continue
      }
      guard call == "http-telemetry" || call == "http-attributes" else { continue }
      let body = try #require(AnswerFile.body(of: line), "line \(index + 1)")
      let isStrict = Self.isStrict(body)
      if let parsed = try? LiteralJSON.parse(body) { #expect(parsed.isStrict == isStrict, "line \(index + 1)") }
      guard isStrict else {
        lenient += 1
        continue
      }
      compared += 1
      let expected = try #require(line["answer"])
      let outcome =
        call == "http-telemetry"
        ? converter.telemetry(body, now: AnswerFile.now) : converter.attributes(body, now: AnswerFile.now)
      if let difference = Verdict(expected).difference(to: Verdict(outcome, isTelemetry: call == "http-telemetry")) {
        disagreements.append("line \(index + 1) \(String(decoding: body.prefix(100), as: UTF8.self)): \(difference)")
      }
    }
    #expect(disagreements.isEmpty, "\(disagreements.joined(separator: "\n"))")
    #expect(compared >= Self.leastRows, "compared \(compared), not strict JSON \(lenient)")
  }

  /// RFC 8259 by the daemon's reader, a parser apart from the one under test; what it refuses beyond the RFC is let pass.
  private static func isStrict(_ body: [UInt8]) -> Bool {
    do throws(JSONError) {
      _ = try JSON(parsing: body)
      return true
    } catch {
      return [.duplicateName, .loneSurrogate, .tooDeep, .tooLarge, .tooManyValues, .numberTooLong].contains(error.code)
    }
  }
}

/// What is compared of an answer.
private struct Verdict {
  var status: Int?
  var body: String
  var stored: [String]
  var lost: [String]

  init(_ answer: LiteralJSON) {
    status = answer["status"]?.string.flatMap { Int($0) }
    body = status == nil ? "" : answer["body"]?.string ?? ""
    stored = (answer["stored"]?.elements ?? []).map { entry in
      let type = entry["type"]?.string ?? ""
      let text = entry["value"]?.string ?? ""
      return Self.entry(
        entry["ts"]?.string, entry["key"]?.string ?? "", type, type == "DOUBLE" ? Self.double(text) : text)
    }
    lost = (answer["lost"]?.elements ?? []).map { Self.loss($0["ts"]?.string, $0["reason"]?.string ?? "") }
  }

  init(_ outcome: ValueConverter.Outcome, isTelemetry: Bool) {
    stored = []
    lost = []
    body = ""
    switch outcome {
    case .accepted(let entries, let losses, _):
      status = 200
      stored = entries.map { entry in
        let value = entry.value
        let text = value.type == .double ? Self.double(value.text) : Self.abbreviated(value.text)
        return Self.entry(isTelemetry ? "\(value.ts)" : nil, entry.key, value.type.rawValue, text)
      }
      lost = losses.map { loss in Self.loss(loss.ts.map { "\($0)" }, loss.reason) }
    case .refused(let text):
      status = 500
      body = text
    case .failed: status = 500
    case .unanswered: status = nil
    }
  }

  func difference(to other: Verdict) -> String? {
    if status != other.status { return "status \(other.status ?? 0) instead of \(status ?? 0)" }
    if body.prefix(Self.bodyPrefix) != other.body.prefix(Self.bodyPrefix) {
      return "body '\(other.body.prefix(60))' instead of '\(body.prefix(60))'"
    }
    if stored.map(ExactText.init) != other.stored.map(ExactText.init) {
      return "stored \(other.stored) instead of \(stored)"
    }
    return lost == other.lost ? nil : "lost \(other.lost) instead of \(lost)"
  }

  /// The beginning of an error text that must agree.
  private static let bodyPrefix = 50

  private static func entry(_ ts: String?, _ key: String, _ type: String, _ text: String) -> String {
    "\(ts ?? "-") \(type) \(key) = \(text)"
  }

  private static func loss(_ ts: String?, _ reason: String) -> String { "\(ts ?? "-") \(reason)" }

  /// One spelling for a double, whatever it was printed by; zero without a sign.
  private static func double(_ text: String) -> String { Double(text).map { "\($0 == 0 ? 0 : $0)" } ?? text }

  /// Long texts stand in the file by their beginning and length.
  private static func abbreviated(_ text: String) -> String {
    let count = text.utf16.count
    return count > 200 ? "\(text.prefix(60))...(\(count) chars)" : text
  }
}

extension LiteralJSON {
  /// A string, or the spelling of anything else but a container.
  fileprivate var string: String? {
    switch self {
    case .string(let text), .number(let text): text
    case .bool(let value): "\(value)"
    case .null, .array, .object: nil
    }
  }

  fileprivate var elements: [LiteralJSON]? {
    if case .array(let elements) = self { elements } else { nil }
  }
}

enum AnswerFile {
  /// The time the file's answers were made at.
  static let now: Int64 = 1_700_000_000_000

  static let path: String =
    ProcessInfo.processInfo.environment["BAUDGATE_SERVER_ANSWERS"]
    ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/server-answers.jsonl").path

  static var exists: Bool { FileManager.default.isReadableFile(atPath: path) }

  static func lines() throws -> [LiteralJSON] {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    return try bytes.split(separator: 0x0A).map { try LiteralJSON.parse(Array($0)).document }
  }

  static func body(of line: LiteralJSON) -> [UInt8]? {
    if let text = line["body"]?.string { return Array(text.utf8) }
    if let text = line["body_b64"]?.string { return Data(base64Encoded: text).map { [UInt8]($0) } }
    return line["body_gen"]?.string.flatMap(generated)
  }

  /// `'text' + 'x'*N + …`
  static func generated(_ expression: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = Substring(expression)
    while true {
      rest = rest.drop { $0 == " " }
      guard rest.first == "'" else { return nil }
      rest.removeFirst()
      guard let end = rest.firstIndex(of: "'") else { return nil }
      let part = Array(rest[..<end].utf8)
      rest = rest[rest.index(after: end)...].drop { $0 == " " }
      var times = 1
      if rest.first == "*" {
        rest = rest.dropFirst().drop { $0 == " " }
        let digits = rest.prefix { $0.isNumber }
        guard let count = Int(digits) else { return nil }
        times = count
        rest = rest.dropFirst(digits.count).drop { $0 == " " }
      }
      for _ in 0..<times { bytes += part }
      if rest.isEmpty { return bytes }
      guard rest.first == "+" else { return nil }
      rest.removeFirst()
    }
  }
}
