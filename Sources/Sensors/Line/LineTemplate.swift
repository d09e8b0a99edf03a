internal import Telemetry

/// `template: "T={temperature},H={humidity}"`: text that must stand there, and placeholders between it.
///
/// `{name}` is a DOUBLE, `{name:int}` a LONG, `{name:text}` a STRING, `{_}` skips; `{{` and `}}` are braces that stand in
/// the line. It matches a whole line.
struct LineTemplate: Sendable, Hashable {
  struct Part: Sendable, Hashable {
    /// `nil` skips.
    let field: LineField?
    /// What ends it; empty at the line's end and nowhere else.
    let literal: [UInt8]
  }

  /// What the line begins with.
  let head: [UInt8]
  let parts: [Part]

  var fields: [LineField] { parts.compactMap(\.field) }

  init(_ text: String, _ maker: LineFieldMaker) throws(SettingsMistake) {
    var literals: [[UInt8]] = [[]]
    var fields: [LineField?] = []
    var rest = text[...]
    /// The number of the next character, from 1.
    var position: Int { text.count - rest.count + 1 }

    while let character = rest.first {
      if rest.hasPrefix("{{") || rest.hasPrefix("}}") {
        literals[fields.count].append(contentsOf: String(character).utf8)
        rest.removeFirst(2)
      } else if character == "}" {
        throw Self.mistake(position, "\"}\" ends no placeholder; write }} for a brace in the line")
      } else if character == "{" {
        guard let close = rest.firstIndex(of: "}") else {
          throw Self.mistake(position, "\"{\" has no \"}\"; write {{ for a brace in the line")
        }
        if let last = literals.last, last.isEmpty, !fields.isEmpty {
          throw Self.mistake(position, "two placeholders without text between them; nothing tells where one ends")
        }
        do throws(SettingsMistake) {
          fields.append(try maker.field(String(rest[rest.index(after: rest.startIndex)..<close])))
        } catch {
          throw Self.mistake(position, error.message)
        }
        literals.append([])
        rest = rest[rest.index(after: close)...]
      } else if character.isNewline {
        throw Self.mistake(position, "a line end; each line is matched by itself")
      } else {
        literals[fields.count].append(contentsOf: String(character).utf8)
        rest.removeFirst()
      }
    }

    head = literals[0]
    parts = zip(fields, literals.dropFirst()).map { Part(field: $0, literal: $1) }
    try LineFieldMaker.check(self.fields)
  }

  private static func mistake(_ position: Int, _ message: String) -> SettingsMistake {
    SettingsMistake(message: "at character \(position): \(message)")
  }
}

struct TemplateReader: LineReader {
  let template: LineTemplate

  func read(_ line: ArraySlice<UInt8>, into result: inout LineResult) throws(LineMismatch) {
    guard hasLiteral(template.head, in: line, at: line.startIndex) else {
      throw LineMismatch(.mismatch, .expectedText(template.head, byte: 1))
    }
    result.readings.reserveCapacity(template.parts.count)
    var index = line.startIndex + template.head.count
    for part in template.parts {
      let end: Int
      if let field = part.field {
        let (value, valueEnd) = try self.value(of: field, in: line, from: index, upTo: part.literal)
        result.readings.append(Reading(field.key, value))
        end = valueEnd
      } else {
        end = try self.end(in: line, from: index, of: part.literal)
      }
      index = end + part.literal.count
    }
    guard index == line.endIndex else {
      throw LineMismatch(.mismatch, .expectedEnd(byte: index - line.startIndex + 1))
    }
  }

  /// Where `literal` next stands; the line's end for an empty one.
  private func end(in line: ArraySlice<UInt8>, from start: Int, of literal: [UInt8]) throws(LineMismatch) -> Int {
    if literal.isEmpty { return line.endIndex }
    guard let end = firstOccurrence(of: literal, in: line, from: start) else {
      throw LineMismatch(.mismatch, .expectedText(literal, byte: start - line.startIndex + 1))
    }
    return end
  }

  private func value(
    of field: LineField, in line: ArraySlice<UInt8>, from start: Int, upTo literal: [UInt8]
  ) throws(LineMismatch) -> (value: Value, end: Int) {
    // Blanks before a number are no literal, even where the literal is a blank.
    var first = start
    if field.type != .text {
      while first < line.endIndex, NumberText.isBlank(line[first]) { first += 1 }
    }
    var end = try self.end(in: line, from: first, of: literal)
    // In `{low}-{high}` the first minus of `-5-3` is a sign: go on while no number is complete yet.
    while !literal.isEmpty, field.type != .text, isUnfinished(line[first..<end]),
      let next = firstOccurrence(of: literal, in: line, from: end + 1)
    {
      end = next
    }
    return (try field.value(of: line[first..<end]), end)
  }

  /// What ends in a digit is not: the usual case costs one look.
  private func isUnfinished(_ text: ArraySlice<UInt8>) -> Bool {
    guard let last = text.last else { return true }
    return !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(last) && NumberText.isIncomplete(text)
  }
}
