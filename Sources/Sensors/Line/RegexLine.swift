internal import Telemetry

/// `regex: '(?<temperature>[-0-9.]+) C'`: named groups are the values; it need not match the whole line.
struct RegexLine: Sendable, Equatable {
  struct Target: Sendable, Hashable {
    let field: LineField
    /// The groups that bear its name; the first that took part counts.
    let groups: [Int]
  }

  let expression: RegularExpression
  let targets: [Target]

  var fields: [LineField] { targets.map(\.field) }

  static func == (a: RegexLine, b: RegexLine) -> Bool {
    a.expression.pattern == b.expression.pattern && a.targets == b.targets
  }
}

struct RegexReader: LineReader, @unchecked Sendable {
  // @unchecked: the matcher belongs to one value alone; a copy makes its own before it matches.
  private let layout: RegexLine
  private var matcher: RegexMatcher?

  init(_ layout: RegexLine) {
    self.layout = layout
  }

  mutating func read(_ line: ArraySlice<UInt8>, into result: inout LineResult) throws(LineMismatch) {
    if matcher == nil || !isKnownUniquelyReferenced(&matcher) { matcher = RegexMatcher(layout.expression) }
    guard let matcher else { throw LineMismatch(.tooComplex, "no memory to match the regular expression") }
    switch matcher.match(line) {
    case .match: break
    case .noMatch: throw LineMismatch(.mismatch, "the regular expression does not match")
    case .tooComplex:
      throw LineMismatch(.tooComplex, "the regular expression gave up after \(RegexMatcher.matchLimit) steps")
    case .failure(let number):
      throw LineMismatch(.mismatch, "the regular expression failed with PCRE2's error \(number)")
    }
    result.readings.reserveCapacity(layout.targets.count)
    for target in layout.targets {
      guard let text = text(of: target, in: line, matcher) else { continue }
      result.readings.append(Reading(target.field.key, try target.field.value(of: text)))
    }
    if result.readings.isEmpty {
      throw LineMismatch(.mismatch, "the regular expression matches, but no named group took part")
    }
  }

  private func text(of target: RegexLine.Target, in line: ArraySlice<UInt8>, _ matcher: RegexMatcher)
    -> ArraySlice<UInt8>?
  {
    for group in target.groups {
      guard let range = matcher.range(ofGroup: group), range.upperBound <= line.count else { continue }
      return line[line.startIndex + range.lowerBound..<line.startIndex + range.upperBound]
    }
    return nil
  }
}
