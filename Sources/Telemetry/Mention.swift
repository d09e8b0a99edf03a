// The library's own searches for text would bring Swift's regular expressions into the daemon, a megabyte of them.

extension StringProtocol {
  /// Whether `words` stand in the text, byte for byte.
  public func mentions(_ words: String) -> Bool {
    let (text, words) = (Array(utf8), Array(words.utf8))
    return words.isEmpty || !places(of: words, in: text).isEmpty
  }

  /// The text with each occurrence of `words`, byte for byte, replaced; from left to right, without overlaps.
  public func substituting(_ words: String, with other: String) -> String {
    let (text, words) = (Array(utf8), Array(words.utf8))
    var result: [UInt8] = []
    var end = 0
    for place in places(of: words, in: text) {
      result += text[end..<place] + Array(other.utf8)
      end = place + words.count
    }
    return String(decoding: result + text[end...], as: UTF8.self)
  }
}

/// Where `words` begin in `text`, without overlaps.
private func places(of words: [UInt8], in text: [UInt8]) -> [Int] {
  guard let first = words.first else { return [] }
  var places: [Int] = []
  var start = 0
  while start + words.count <= text.count {
    if text[start] == first, text[start...].starts(with: words) {
      places.append(start)
      start += words.count
    } else {
      start += 1
    }
  }
  return places
}
