import Testing

@testable import Telemetry

@Suite struct MentionTests {
  @Test(arguments: [
    ("", "", true), ("a", "", true), ("", "a", false), ("abc", "bc", true), ("abc", "abcd", false), ("aab", "ab", true),
    ("größe", "öß", true), ("e\u{301}", "e", true),
  ])
  func wordsAreFoundByteForByte(_ text: String, _ words: String, _ isThere: Bool) {
    #expect(text.mentions(words) == isThere)
  }

  @Test(arguments: [
    ("{file}", "{file}", "/tmp/p", "/tmp/p"), ("a{file}b{file}", "{file}", "x", "axbx"), ("abc", "d", "x", "abc"),
    ("aaa", "aa", "b", "ba"), ("", "a", "b", ""), ("abc", "", "x", "abc"),
    ("{file}", "{file}", "{file}{file}", "{file}{file}"),
  ])
  func eachIsReplacedOnce(_ text: String, _ words: String, _ other: String, _ result: String) {
    #expect(text.substituting(words, with: other) == result)
  }
}
