import Foundation
import Testing

@testable import Telemetry

/// Where the answers are: `BAUDGATE_SERVER_ANSWERS`, by default ../shared/server-answers.jsonl.
private enum AnswersFile {
  static let path =
    ProcessInfo.processInfo.environment["BAUDGATE_SERVER_ANSWERS"] ?? "../shared/server-answers.jsonl"
  static var exists: Bool { FileManager.default.isReadableFile(atPath: path) }
}

/// What ThingsBoard's own converter made of bodies, against what is written here. Skipped where the file is absent; its
/// data are not part of this repository.
@Suite(.enabled(if: AnswersFile.exists, "no file of server answers")) struct ServerAnswers {
  /// A telemetry body that is one object, and what the server stored of it.
  struct Answer {
    let body: String
    let members: [JSON.Member]
    let stored: [JSON.Member]
    let isKeyRefused: Bool
  }

  static func answers() throws -> [Answer] {
    let lines = try Data(contentsOf: URL(fileURLWithPath: AnswersFile.path)).split(separator: UInt8(ascii: "\n"))
    var answers: [Answer] = []
    for line in lines {
      // Answers after a change of the server's options are other rules.
      guard let row = try? JSON(parsing: Array(line)) else { continue }
      if row["cmd"] == .string("config") { break }
      guard row["cmd"] == .string("http-telemetry"), case .string(let body)? = row["body"],
        case .object(let members) = try? JSON(parsing: Array(body.utf8)), !members.isEmpty,
        members.first(where: { $0.name == "values" }) == nil,
        let answer = row["answer"], answer["status"] == .integer(200), case .array(let stored)? = answer["stored"],
        case .array(let lost)? = answer["lost"]
      else { continue }
      let isKeyRefused = lost.contains { $0.text.contains("DataValidationException") }
      answers.append(
        Answer(
          body: body, members: members,
          stored: stored.compactMap { entry in
            guard case .string(let name)? = entry["key"], let type = entry["type"] else { return nil }
            return JSON.Member(name, type)
          }, isKeyRefused: isKeyRefused))
    }
    return answers
  }

  @Test func keysTheServerRefusesAreRefused() throws {
    var refused = 0
    for answer in try Self.answers() {
      let accepted = answer.members.allSatisfy { (try? Key($0.name)) != nil }
      if answer.isKeyRefused {
        refused += 1
        #expect(!accepted, "\(answer.body)")
      } else if !answer.body.contains("\\u0000") {
        #expect(accepted, "\(answer.body)")
      }
    }
    #expect(refused >= 5)
  }

  /// Where a body says a value just as it is written here, the server must have stored the type it has here.
  @Test func literalsAsWrittenAreStoredWithTheirType() throws {
    var compared: Set<Value.Kind> = []
    for answer in try Self.answers() where answer.members.count == 1 && !answer.isKeyRefused {
      guard let key = try? Key(answer.members[0].name), let value = Value(answer.members[0].value) else { continue }
      var buffer: [UInt8] = []
      let written = appendValues([Reading(key, value)], to: &buffer) { _, _ in }
      if written == 0 || String(decoding: buffer, as: UTF8.self) != answer.body { continue }
      var expected = value.kind
      // An integral double from 1e7 on arrives as LONG, and a string of digits as a number: the server's second parse.
      if case .double(let number) = value, number.magnitude >= 1e7, number == number.rounded() { expected = .long }
      if case .string(let text) = value, Self.looksLikeANumber(text) { continue }
      compared.insert(value.kind)
      #expect(answer.stored == [JSON.Member(key.name, .string(expected.description))], "\(answer.body)")
    }
    #expect(compared == Set(Value.Kind.allCases))
  }

  private static func looksLikeANumber(_ text: String) -> Bool {
    let digits = text.drop { $0 == "-" || $0 == "." || $0 == "0" }
    return Double(text) != nil || digits.allSatisfy(\.isNumber)
  }
}
