import Testing

@testable import ThingsBoard

@Suite struct SecretTests {
  @Test func nothingShowsIt() {
    let secret = Secret("A1_TEST_TOKEN")
    #expect("\(secret)" == "‹secret›")
    #expect(String(reflecting: secret) == "‹secret›")
    var dumped = ""
    dump(secret, to: &dumped)
    #expect(!dumped.contains("A1_TEST_TOKEN"))
    struct Holder { var token: Secret }
    #expect(!String(describing: Holder(token: secret)).contains("A1_TEST_TOKEN"))
  }

  @Test func everyOccurrenceIsMasked() {
    #expect(Secret("abc").masked(in: "abcabc x abc") == "‹secret›‹secret› x ‹secret›")
    #expect(Secret("a#c").masked(in: "/a%23c/ a#c") == "/‹secret›/ ‹secret›")
    #expect(Secret("abc").masked(in: "abc\u{301}") == "‹secret›\u{301}")
    #expect(Secret("").masked(in: "abc") == "abc")
    #expect(Secret("abcd").masked(in: "abc") == "abc")
  }

  @Test func aTokenBecomesOnePathSegment() {
    #expect(percentEncoded("A1_b-c.~") == "A1_b-c.~")
    #expect(percentEncoded("a/b?c#d e%é") == "a%2Fb%3Fc%23d%20e%25%C3%A9")
  }
}
