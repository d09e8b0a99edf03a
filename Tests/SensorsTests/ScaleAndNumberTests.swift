import Testing

@testable import Sensors

@Test(
  arguments: [
    (217, 0.1, 0, 21.7), (12345, 0.001, 0, 12.345), (3, 0.05, 0, 0.15), (21.7, 1, -0.3, 21.4), (7, 3, 1, 22),
    (1, 1.0 / 3, 0, 1.0 / 3), (2, 1e-20, 0, 2e-20), (5, 1e20, 0, 5e20), (0, 0.1, 0, 0), (-217, 0.1, 40, 18.3),
    (1, 1.8, 32, 33.8), (100, 1, 0, 100),
  ] as [(Double, Double, Double, Double)])
func aScaleRoundsAsADecimalDoes(value: Double, scale: Double, offset: Double, result: Double) {
  #expect(LinearScale(scale: scale, offset: offset)(value) == result)
}

@Test(
  arguments: [
    ("21", 21), ("-0.5", -0.5), ("+3", 3), (".5", 0.5), ("21.", 21), ("1e3", 1000), ("1E-3", 0.001), ("\t 7 ", 7),
    ("00012", 12), ("123456789012345678901234567890", 1.2345678901234568e29), ("0.1000000000000000055", 0.1),
    ("123456789012345678901234567890.", 1.2345678901234568e29),
    (".000000000000000000000000001234567890123456789", 1.2345678901234568e-27),
    ("1e400", Double.infinity), ("1e-400", 0),
    ("", nil), (" ", nil), ("-", nil), (".", nil), ("1e", nil), ("1 2", nil), ("1,5", nil), ("nan", nil), ("inf", nil),
    ("0x1F", nil), ("--1", nil), ("1.2.3", nil), ("21C", nil), ("e5", nil), ("١", nil),
  ] as [(String, Double?)])
func whatASensorPrintsIsANumberOrNot(text: String, number: Double?) {
  #expect(NumberText.double(Array(text.utf8)[...]) == number)
}

@Test(arguments: [
  ("nan", true), ("-NaN", true), ("INF", true), ("+infinity", true), ("nano", false), ("in", false), ("", false),
])
func theWordsForNoNumberAreKnown(word: String, isWord: Bool) {
  #expect(NumberText.isNotANumberWord(Array(word.utf8)[...]) == isWord)
}
