import Testing
import ThingsBoard

@testable import Gateway

/// Secrets among many are found as each of them alone is.
@Suite struct SecretTableTests {
  private static func table(_ secrets: String...) -> SecretTable {
    var table = SecretTable()
    for secret in secrets { table.add(Secret(secret)) }
    return table
  }

  @Test(arguments: [
    ("nothing here", "nothing here"),
    ("token-1", "‹secret›"),
    ("token-12 and token-1", "‹secret› and ‹secret›"),
    ("token-", "token-"),
    ("xtoken-1token-1x", "x‹secret›‹secret›x"),
    ("abc", "‹secret›"),
    ("a%23c%2Fd a#c/d", "‹secret› ‹secret›"),
    ("q\"uote q\\\"uote", "‹secret› ‹secret›"),
    ("token-1\u{301}", "‹secret›\u{301}"),
    ("ü-token ü", "‹secret› ü"),
    ("", ""),
  ]) func textIsMasked(_ text: String, _ masked: String) {
    let table = Self.table("token-1", "token-12", "abc", "a#c/d", "q\"uote", "ü-token", "")
    #expect(table.masked(text) == masked)
  }

  @Test func eachIsCountedOnce() {
    #expect(Self.table("token-1", "token-1", "", "a#b").count == 2)
  }

  @Test func amongThousandsEachIsFound() {
    var table = SecretTable()
    for number in 0..<3000 { table.add(Secret("token-of-device-\(number)-end")) }
    #expect(table.masked("a token-of-device-2999-end b token-of-device-17-end") == "a ‹secret› b ‹secret›")
    #expect(table.masked("token-of-device-3000-end") == "token-of-device-3000-end")
  }
}
