internal import Telemetry

/// `csv: [a, b:int, _, d:text]`: as many fields as names, between separators; quotes as in RFC 4180, section 2.
struct DelimitedLine: Sendable, Hashable {
  /// `separator` where the configuration says nothing.
  static let defaultSeparator = UInt8(ascii: ",")

  /// In the order of the line; `nil` skips.
  let columns: [LineField?]
  let separator: UInt8

  var fields: [LineField] { columns.compactMap { $0 } }
}

struct DelimitedReader: LineReader {
  let layout: DelimitedLine

  func read(_ line: ArraySlice<UInt8>, into result: inout LineResult) throws(LineMismatch) {
    result.readings.reserveCapacity(layout.columns.count)
    var index = line.startIndex
    for (number, column) in layout.columns.enumerated() {
      if number > 0 {
        guard index < line.endIndex else { throw wrongCount(line) }
        // `field` stops at a separator or at the line's end.
        index += 1
      }
      let text = try field(in: line, from: &index)
      if let column { result.readings.append(Reading(column.key, try column.value(of: text))) }
    }
    guard index == line.endIndex else { throw wrongCount(line) }
  }

  /// The field at `index`, which moves on to what ends it.
  private func field(in line: ArraySlice<UInt8>, from index: inout Int) throws(LineMismatch) -> ArraySlice<UInt8> {
    let start = index
    if index < line.endIndex, line[index] == UInt8(ascii: "\"") { return try quotedField(in: line, from: &index) }
    while index < line.endIndex, line[index] != layout.separator { index += 1 }
    return line[start..<index]
  }

  private func quotedField(in line: ArraySlice<UInt8>, from index: inout Int) throws(LineMismatch) -> ArraySlice<UInt8>
  {
    let quote = UInt8(ascii: "\"")
    let start = index
    var text: [UInt8] = []
    index += 1
    while index < line.endIndex {
      if line[index] == quote {
        index += 1
        guard index < line.endIndex, line[index] == quote else {
          guard index == line.endIndex || line[index] == layout.separator else {
            throw LineMismatch(.mismatch, .expectedText([layout.separator], byte: index - line.startIndex + 1))
          }
          return text[...]
        }
      }
      text.append(line[index])
      index += 1
    }
    throw LineMismatch(.mismatch, "the quote at byte \(start - line.startIndex + 1) is never closed")
  }

  private func wrongCount(_ line: ArraySlice<UInt8>) -> LineMismatch {
    var count = 1
    var index = line.startIndex
    while (try? field(in: line, from: &index)) != nil, index < line.endIndex {
      count += 1
      index += 1
    }
    return LineMismatch(.mismatch, .fieldCount(count, expected: layout.columns.count))
  }
}
