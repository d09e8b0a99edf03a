extension MappingReader {
  /// Text, quoted or not.
  public mutating func string(_ key: String) -> String? {
    guard let node = node(key) else { return nil }
    if node.text == nil { mismatch(key, expected: "text") }
    return node.text
  }

  /// Text that is not empty; `finish` reports it when absent.
  public mutating func requiredString(_ key: String) -> String? {
    require(key)
    return nonEmptyString(key)
  }

  /// Text that is not empty.
  public mutating func nonEmptyString(_ key: String) -> String? {
    guard let text = string(key) else { return nil }
    if text.isEmpty { mismatch(key, expected: "text that is not empty") }
    return text.isEmpty ? nil : text
  }

  /// A path that begins with a slash and names more than the root.
  public mutating func absolutePath(_ key: String, suchAs example: String) -> String? {
    guard let path = string(key) else { return nil }
    if path.hasPrefix("/"), path.utf8.contains(where: { $0 != UInt8(ascii: "/") }) { return path }
    mismatch(key, expected: "an absolute path such as \(example)")
    return nil
  }

  /// A whole number, decimal or `0x…`, without quotes.
  public mutating func integer<Integer: FixedWidthInteger>(
    _ key: String, in range: ClosedRange<Integer>
  ) -> Integer? {
    guard let node = node(key) else { return nil }
    if let value: Integer = node.integer(), range.contains(value) { return value }
    mismatch(key, expected: "an integer from \(range.lowerBound) to \(range.upperBound)" + node.quotesHint)
    return nil
  }

  /// A finite number, without quotes.
  public mutating func double(_ key: String, in range: ClosedRange<Double>? = nil) -> Double? {
    guard let node = node(key) else { return nil }
    if let value = node.double, range?.contains(value) ?? true { return value }
    let bounds = range.map { " from \($0.lowerBound) to \($0.upperBound)" } ?? ""
    mismatch(key, expected: "a number\(bounds)" + node.quotesHint)
    return nil
  }

  /// `true` or `false`, nothing else.
  public mutating func boolean(_ key: String) -> Bool? {
    guard let node = node(key) else { return nil }
    switch node.value {
    case .scalar("true", isPlain: true): return true
    case .scalar("false", isPlain: true): return false
    default:
      mismatch(key, expected: "true or false" + node.quotesHint)
      return nil
    }
  }

  /// A whole number with `us`, `ms`, `s`, `m`, `h` or `d`.
  public mutating func duration(_ key: String, in range: ClosedRange<Duration>? = nil) -> Duration? {
    guard let node = node(key) else { return nil }
    if let value = node.text.flatMap(Duration.init(configured:)), range?.contains(value) ?? true { return value }
    let bounds = range.map { " from \($0.lowerBound.configured) to \($0.upperBound.configured)" } ?? ""
    mismatch(key, expected: "a duration\(bounds) such as 250ms, 5s, 10m or 1h")
    return nil
  }

  /// Bytes: a whole number with `B`, `KB`, `MB` or `GB`, each 1024 of the one before.
  public mutating func size(_ key: String, in range: ClosedRange<Int>? = nil) -> Int? {
    guard let node = node(key) else { return nil }
    if let value = node.text.flatMap(Int.init(configuredSize:)), range?.contains(value) ?? true { return value }
    let bounds = range.map { " from \(configuredSize($0.lowerBound)) to \(configuredSize($0.upperBound))" } ?? ""
    mismatch(key, expected: "a size\(bounds) such as 64KB or 256MB")
    return nil
  }

  /// One of `words`.
  public mutating func word(_ key: String, of words: [String]) -> String? {
    guard let node = node(key) else { return nil }
    if let text = node.text, words.contains(text) { return text }
    mismatch(key, expected: listed(words, or: true), words: words)
    return nil
  }

  /// What one of `words` stands for.
  public mutating func word<Meaning>(_ key: String, of words: KeyValuePairs<String, Meaning>) -> Meaning? {
    guard let text = word(key, of: words.map(\.key)) else { return nil }
    return words.first { $0.key == text }?.value
  }

  /// One of the cases of `type`, spelled as its raw value.
  public mutating func word<Word: RawRepresentable & CaseIterable>(_ key: String, of type: Word.Type) -> Word?
  where Word.RawValue == String {
    word(key, of: type.allCases.map(\.rawValue)).flatMap(Word.init(rawValue:))
  }
}

extension YAMLNode {
  /// A plain scalar that is a whole number, decimal or `0x…`; a leading zero is refused, since some read it as octal.
  public func integer<Integer: FixedWidthInteger>(as type: Integer.Type = Integer.self) -> Integer? {
    guard case .scalar(let text, isPlain: true) = value else { return nil }
    var digits = text[...]
    let isNegative = digits.first == "-"
    if isNegative || digits.first == "+" { digits.removeFirst() }
    let isHexadecimal = digits.hasPrefix("0x")
    if isHexadecimal { digits.removeFirst(2) }
    guard let first = digits.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
    if !isHexadecimal, first == UInt8(ascii: "0"), digits.utf8.count > 1 { return nil }
    return Integer((isNegative ? "-" : "") + digits, radix: isHexadecimal ? 16 : 10)
  }

  /// A plain scalar that is a finite decimal number: digits, a point, an exponent.
  public var double: Double? {
    guard case .scalar(let text, isPlain: true) = value, text.utf8.first != UInt8(ascii: "e"),
      text.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }),
      text.utf8.contains(where: { (0x30...0x39).contains($0) }), let number = Double(text), number.isFinite
    else { return nil }
    return number
  }

  var quotesHint: String {
    if case .scalar(_, isPlain: false) = value { " without quotes" } else { "" }
  }
}
