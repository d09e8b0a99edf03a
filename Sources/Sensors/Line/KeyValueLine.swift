internal import Telemetry

/// `key_value: true`: pairs such as `T=21.5 H=40` whose names the line brings itself.
///
/// What is no number is text. An empty value is left out, as `null` is in JSON.
struct KeyValueLine: Sendable, Hashable {
  /// What stands between pairs; without `separator` any of these, several in a row being one.
  static let defaultSeparators = Array(", ;\t".utf8)
  /// What stands between name and value; without `assign` either of these.
  static let defaultAssigns = Array("=:".utf8)

  var separators = defaultSeparators
  var assigns = defaultAssigns
  /// The names that are read, others being ignored; `nil` reads all, numbers as DOUBLE.
  var fields: [LineField]?
}

struct KeyValueReader: LineReader {
  private let layout: KeyValueLine
  private let declared: [[UInt8]: LineField]?
  private var keys: LineKeys
  private var ledger: ValueLedger

  init(_ layout: KeyValueLine, _ naming: KeyNaming, scales: [String: LinearScale]) {
    self.layout = layout
    declared = layout.fields.map { fields in
      Dictionary(fields.map { (Array($0.name.utf8), $0) }, uniquingKeysWith: { first, _ in first })
    }
    keys = LineKeys(naming, scales: scales)
    ledger = ValueLedger(naming)
  }

  mutating func read(_ line: ArraySlice<UInt8>, into result: inout LineResult) throws(LineMismatch) {
    keys.beginLine()
    var scanner = PairScanner(line: line, layout: layout)
    var count = 0
    while let pair = try scanner.next() {
      count += 1
      if let declared {
        guard let field = declared[Array(pair.name)], !pair.value.isEmpty else { continue }
        guard !result.readings.contains(where: { $0.key == field.key }) else { throw twice(field.name) }
        result.readings.append(Reading(field.key, try field.value(of: pair.value)))
        continue
      }
      switch keys.look(up: pair.name) {
      case .repeated(let entry): throw twice(entry.name)
      case .unusable: result.omit(LineMismatch(.badKey, "\(quoted(pair.name)) cannot be a key"))
      case .tooMany: result.omit(.tooManyKeys(pair.name))
      case .entry(let entry):
        guard !pair.value.isEmpty else { continue }
        ledger.admit(Reading(entry.key, try value(of: pair, entry)), into: &result)
      }
    }
    if count == 0 { throw LineMismatch(.mismatch, "expected pairs such as name=value") }
    if declared != nil, result.readings.isEmpty {
      throw LineMismatch(.mismatch, "none of the names under keys: has a value")
    }
  }

  private func value(of pair: PairScanner.Pair, _ entry: LineKeys.Entry) throws(LineMismatch) -> Value {
    if let number = NumberText.double(pair.value) {
      let value = entry.scale.map { $0(number) } ?? number
      guard value.isFinite else { throw LineMismatch(.outOfRange, .outOfRange(entry.name, pair.value)) }
      return .double(value)
    }
    // `nan` is a sensor's way of saying "no reading"; as text it would change the key's type.
    guard entry.scale == nil, !NumberText.isNotANumberWord(pair.value) else {
      throw LineMismatch(.notNumber, .notNumber(entry.name, pair.value))
    }
    guard let text = String(validating: pair.value, as: UTF8.self) else {
      throw LineMismatch(.notUTF8, .notUTF8(entry.name))
    }
    return .string(text)
  }

  private func twice(_ name: String) -> LineMismatch {
    LineMismatch(.mismatch, "\(quoted(name.utf8)) stands there twice")
  }
}

/// Cuts a line into pairs.
private struct PairScanner {
  struct Pair {
    let name: ArraySlice<UInt8>
    let value: ArraySlice<UInt8>
  }

  private let line: ArraySlice<UInt8>
  private let layout: KeyValueLine
  private var index: Int

  init(line: ArraySlice<UInt8>, layout: KeyValueLine) {
    self.line = line
    self.layout = layout
    index = line.startIndex
  }

  mutating func next() throws(LineMismatch) -> Pair? {
    let start = run(from: index) { isSeparator($0) || NumberText.isBlank($0) }
    guard start < line.endIndex else { return nil }
    let nameEnd = run(from: start) { !isSeparator($0) && !isAssign($0) }
    // `T = 21` as well as `T=21`.
    index = run(from: nameEnd, while: NumberText.isBlank)
    guard index < line.endIndex, isAssign(line[index]), nameEnd > start else {
      throw LineMismatch(.mismatch, "expected a pair such as name=value, got \(quoted(line[start..<nameEnd]))")
    }
    index += 1
    return Pair(name: NumberText.trimmed(line[start..<nameEnd]), value: try value())
  }

  private mutating func value() throws(LineMismatch) -> ArraySlice<UInt8> {
    let start = index
    let valueStart = run(from: start, while: NumberText.isBlank)
    if valueStart < line.endIndex, line[valueStart] == UInt8(ascii: "\"") { return try quotedValue(at: valueStart) }
    let valueEnd = run(from: valueStart) { !isSeparator($0) }
    let value = line[valueStart..<valueEnd]
    // In `T= H=40` the word behind the blank is the next name, and T has no value.
    if valueStart > start, value.contains(where: isAssign) { return line[start..<start] }
    index = valueEnd
    return NumberText.trimmed(value)
  }

  private mutating func quotedValue(at quote: Int) throws(LineMismatch) -> ArraySlice<UInt8> {
    let end = run(from: quote + 1) { $0 != UInt8(ascii: "\"") }
    guard end < line.endIndex else {
      throw LineMismatch(.mismatch, "the quote at byte \(quote - line.startIndex + 1) is never closed")
    }
    index = end + 1
    return line[quote + 1..<end]
  }

  /// Where the bytes that `belongs` accepts end.
  private func run(from start: Int, while belongs: (UInt8) -> Bool) -> Int {
    var end = start
    while end < line.endIndex, belongs(line[end]) { end += 1 }
    return end
  }

  private func isSeparator(_ byte: UInt8) -> Bool { layout.separators.contains(byte) }
  private func isAssign(_ byte: UInt8) -> Bool { layout.assigns.contains(byte) }
}
