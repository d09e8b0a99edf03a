extension StringProtocol {
  /// Whether `words` stand in the text, byte for byte.
  ///
  /// `contains` for text would bring Swift's regular expressions into the daemon, a megabyte of them.
  public func mentions(_ words: String) -> Bool {
    let (text, words) = (Array(utf8), Array(words.utf8))
    guard let first = words.first else { return true }
    guard text.count >= words.count else { return false }
    return (0...(text.count - words.count)).contains { start in
      text[start] == first && text[start...].starts(with: words)
    }
  }
}
