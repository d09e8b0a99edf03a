internal import CPCRE2

/// A compiled PCRE2 pattern with named groups.
///
/// Patterns come from a person's file: what a match may cost is limited (`RegexMatcher`), and `\C` is refused.
final class RegularExpression: @unchecked Sendable {
  // @unchecked: the compiled pattern is never written to after init; pcre2api(3), "Multithreading".

  /// The longest pattern, bytes.
  static let longestPattern = 4096

  /// A name and the numbers of the groups that bear it: several with `(?J)`.
  struct Group: Hashable {
    let name: String
    let numbers: [Int]
  }

  /// What PCRE2 says of a pattern.
  struct Mistake: Error, Hashable {
    let message: String
    /// Bytes from the pattern's beginning.
    let offset: Int
  }

  let pattern: String
  /// In the order in which they stand in the pattern.
  let groups: [Group]
  fileprivate let code: OpaquePointer

  init(_ pattern: String) throws(Mistake) {
    self.pattern = pattern
    guard pattern.utf8.count <= Self.longestPattern else {
      throw Mistake(message: "longer than \(Self.longestPattern) bytes", offset: Self.longestPattern)
    }
    var number: CInt = 0
    var offset = 0
    // Lines are bytes off a wire: text that is not UTF-8 must not keep the rest from matching.
    let options = PCRE2_UTF | UInt32(PCRE2_MATCH_INVALID_UTF) | UInt32(PCRE2_NEVER_BACKSLASH_C)
    let bytes = Array(pattern.utf8)
    guard let code = pcre2_compile_8(bytes, bytes.count, options, &number, &offset, nil) else {
      throw Mistake(message: Self.message(number), offset: offset)
    }
    self.code = code
    groups = Self.groups(of: code)
  }

  deinit { pcre2_code_free_8(code) }

  private static func message(_ number: CInt) -> String {
    var buffer = [UInt8](repeating: 0, count: 256)
    let length = pcre2_get_error_message_8(number, &buffer, buffer.count)
    return length > 0 ? String(decoding: buffer.prefix(Int(length)), as: UTF8.self) : "error \(number)"
  }

  /// The table of names: each entry the group's number in two bytes, high one first, then the name and a NUL.
  private static func groups(of code: OpaquePointer) -> [Group] {
    var count: UInt32 = 0
    var size: UInt32 = 0
    var table: UnsafePointer<UInt8>?
    pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMECOUNT), &count)
    pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMEENTRYSIZE), &size)
    pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMETABLE), &table)
    guard let table else { return [] }
    var numbers: [String: [Int]] = [:]
    for entry in 0..<Int(count) {
      let bytes = UnsafeBufferPointer(start: table + entry * Int(size), count: Int(size))
      let name = String(decoding: bytes.dropFirst(2).prefix { $0 != 0 }, as: UTF8.self)
      numbers[name, default: []].append(Int(bytes[0]) << 8 | Int(bytes[1]))
    }
    return numbers.map { Group(name: $0.key, numbers: $0.value.sorted()) }
      .sorted { ($0.numbers.first ?? 0) < ($1.numbers.first ?? 0) }
  }
}

/// Matches lines against one expression, within fixed bounds of time and memory.
///
/// Not Sendable: it holds the place where PCRE2 leaves its result.
final class RegexMatcher {
  /// The most calls of PCRE2's matching function for one line: some milliseconds.
  static let matchLimit: UInt32 = 100_000
  /// How deep backtracking may nest.
  static let depthLimit: UInt32 = 20_000
  /// Memory for backtracking, KiB.
  static let heapLimit: UInt32 = 1024

  enum Outcome: Equatable {
    case match
    case noMatch
    /// One of the limits was reached.
    case tooComplex
    /// PCRE2's number; none is known to occur.
    case failure(Int)
  }

  let expression: RegularExpression
  private let data: OpaquePointer
  private let context: OpaquePointer

  /// - Returns: `nil` without memory.
  init?(_ expression: RegularExpression) {
    guard let data = pcre2_match_data_create_from_pattern_8(expression.code, nil) else { return nil }
    guard let context = pcre2_match_context_create_8(nil) else {
      pcre2_match_data_free_8(data)
      return nil
    }
    pcre2_set_match_limit_8(context, Self.matchLimit)
    pcre2_set_depth_limit_8(context, Self.depthLimit)
    pcre2_set_heap_limit_8(context, Self.heapLimit)
    (self.expression, self.data, self.context) = (expression, data, context)
  }

  deinit {
    pcre2_match_data_free_8(data)
    pcre2_match_context_free_8(context)
  }

  func match(_ line: ArraySlice<UInt8>) -> Outcome {
    let result = line.withUnsafeBufferPointer { bytes in
      pcre2_match_8(expression.code, bytes.baseAddress, bytes.count, 0, 0, data, context)
    }
    if result > 0 { return .match }
    switch result {
    case PCRE2_ERROR_NOMATCH: return .noMatch
    case PCRE2_ERROR_MATCHLIMIT, PCRE2_ERROR_DEPTHLIMIT, PCRE2_ERROR_HEAPLIMIT: return .tooComplex
    default: return .failure(Int(result))
    }
  }

  /// What a group of the last match holds, counted from the line's beginning; `nil` when it took no part.
  func range(ofGroup number: Int) -> Range<Int>? {
    guard number >= 0, number < Int(pcre2_get_ovector_count_8(data)), let offsets = pcre2_get_ovector_pointer_8(data)
    else {
      return nil
    }
    let (start, end) = (offsets[2 * number], offsets[2 * number + 1])
    // PCRE2_UNSET, the greatest size_t, is -1 here.
    guard start >= 0, start <= end else { return nil }
    return start..<end
  }
}
