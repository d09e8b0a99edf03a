import Testing

@testable import Telemetry

@Suite struct Quoting {
  @Test(arguments: [
    ("T=21.5", #""T=21.5""#),
    ("", #""""#),
    ("a\"b\\c", #""a\"b\\c""#),
    ("\0\u{1B}[2J\r\n\u{7F}", #""\x00\x1b[2J\x0d\x0a\x7f""#),
    ("é", #""\xc3\xa9""#),
  ]) func bytesAreShownHarmlessly(_ line: String, _ expected: String) {
    #expect(quoted(Array(line.utf8)[...]) == expected)
  }

  @Test func aLongLineIsCut() {
    let line = [UInt8](repeating: UInt8(ascii: "x"), count: 300)
    #expect(quoted(line, limit: 3) == "\"xxx\"… (300 bytes)")
    #expect(quoted(line[100..<103], limit: 3) == "\"xxx\"")
    #expect(quoted(line) == "\"" + String(repeating: "x", count: 80) + "\"… (300 bytes)")
    #expect(quoted(line, limit: -1) == "\"\"… (300 bytes)")
  }

  @Test func aLineStaysOneLineAndNoTerminalObeysIt() {
    #expect(oneLine("a\nb\u{1B}[31mc\u{7F}") == "a b [31mc ")
    #expect(oneLine("a\u{9B}31mb\u{85}c") == "a 31mb c")
    #expect(oneLine("21 °C ✓") == "21 °C ✓")
  }
}
