internal import Telemetry

/// Reads lines of one format.
protocol LineReader: Sendable {
  /// - Parameters:
  ///   - line: Without its end; not empty.
  ///   - result: Empty; readings and lesser faults are appended.
  /// - Throws: When the line does not fit; `result` is then worthless.
  mutating func read(_ line: ArraySlice<UInt8>, into result: inout LineResult) throws(LineMismatch)
}

/// What one line gave.
struct LineResult {
  var readings: [Reading] = []
  /// Values left out of a line that fits otherwise.
  private(set) var omissions: [LineMismatch] = []

  /// Notes a value that is left out; of names that cannot be keys, the first of a line stands for all.
  mutating func omit(_ reason: LineMismatch) {
    if reason.code != .typeChanged, omissions.contains(where: { $0.code == reason.code }) { return }
    omissions.append(reason)
  }
}

/// Where `literal`, which is not empty, first stands in `text`.
func firstOccurrence(of literal: [UInt8], in text: ArraySlice<UInt8>, from start: Int) -> Int? {
  guard let first = literal.first else { return nil }
  let last = text.endIndex - literal.count
  var index = start
  while index <= last {
    if text[index] == first, hasLiteral(literal, in: text, at: index) { return index }
    index += 1
  }
  return nil
}

/// Whether `literal` stands in `text` at `start`.
func hasLiteral(_ literal: [UInt8], in text: ArraySlice<UInt8>, at start: Int) -> Bool {
  guard literal.count <= text.endIndex - start else { return false }
  var index = 0
  while index < literal.count {
    if text[start + index] != literal[index] { return false }
    index += 1
  }
  return true
}
