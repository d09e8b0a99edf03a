import Testing

@testable import Installer

@Suite struct OutputTailTests {
  @Test func theEndIsKept() {
    var tail = OutputTail()
    for number in 0..<10_000 { tail.append(Array("line \(number)\n".utf8)) }
    #expect(tail.text.hasSuffix("line 9998\nline 9999\n"))
    #expect(tail.text.utf8.count == OutputTail.limit)
  }

  @Test func aFloodInOnePieceIsCut() {
    var tail = OutputTail()
    tail.append([UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20))
    #expect(tail.text == String(repeating: "x", count: OutputTail.limit))
  }

  @Test(arguments: 0..<4) func aTornCharacterInFrontIsLeftOut(offset: Int) {
    var tail = OutputTail()
    tail.append([UInt8](repeating: 0x20, count: offset))
    tail.append(Array(String(repeating: "€", count: 1000).utf8))
    tail.append(Array(String(repeating: ".", count: offset).utf8))
    #expect(tail.text.unicodeScalars.allSatisfy { $0 == "€" || $0 == "." })
    #expect(tail.text.utf8.count > OutputTail.limit - 3)
  }

  @Test func whatIsNoUTF8IsReplacedAndStaysWithinTheLimit() {
    var tail = OutputTail()
    tail.append([UInt8](repeating: 0xE4, count: 5000) + Array("end".utf8))
    #expect(tail.text.hasSuffix("\u{FFFD}end"))
    #expect(tail.text.utf8.count <= OutputTail.limit)
  }

  @Test func aShortOneThatBeginsWithAContinuationByteIsWhole() {
    var tail = OutputTail()
    tail.append([0x80, 0x41])
    #expect(tail.text == "\u{FFFD}A")
  }
}
