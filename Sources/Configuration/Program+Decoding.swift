internal import YAML

extension MappingReader {
  /// Words of one program, itself included.
  static let programWordLimit = 64

  /// A program and its arguments, which no shell sees: `[/usr/bin/mmcli, -m, "0", -r]`.
  ///
  /// - Parameter example: What a message shows.
  /// - Returns: `nil` where it is absent or was refused.
  mutating func program(_ key: String, suchAs example: String) -> [String]? {
    guard let words = strings(key) else { return nil }
    guard let program = words.first else {
      if case .sequence([])? = node(key)?.value {
        mismatch(key, expected: "a program and its arguments such as \(example)")
      }
      return nil
    }
    if words.count > Self.programWordLimit {
      error(at: key, "\(path(of: key)) has \(words.count) words; at most \(Self.programWordLimit) are possible")
    } else if !program.hasPrefix("/") || program.hasSuffix("/") {
      error(
        at: key,
        "\(path(of: key))[0] is \(quoted(program)); expected the program's absolute path such as /usr/bin/mmcli: "
          + "no shell looks for it")
    } else {
      return words
    }
    return nil
  }
}
