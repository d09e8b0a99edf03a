import Testing

@testable import Simulator

@Suite struct JavaDoubleTests {
  @Test(
    "Doubles are printed as Java 19 and later prints them",
    arguments: [
      (42.0, "42.0"), (-0.5, "-0.5"), (0.0, "0.0"), (-0.0, "-0.0"), (1e-3, "0.001"), (9.99e-4, "9.99E-4"),
      (1e-4, "1.0E-4"), (9_999_999, "9999999.0"), (9_999_999.5, "9999999.5"), (1e7, "1.0E7"),
      (12_345_678.5, "1.23456785E7"), (123_456_789.125, "1.23456789125E8"), (1e22, "1.0E22"), (1e23, "1.0E23"),
      (9_007_199_254_740_992, "9.007199254740992E15"), (0.1 + 0.2, "0.30000000000000004"),
      (.leastNonzeroMagnitude, "4.9E-324"),
      (2 * .leastNonzeroMagnitude, "9.9E-324"), (.greatestFiniteMagnitude, "1.7976931348623157E308"),
      (2.2250738585072014e-308, "2.2250738585072014E-308"),
      (.infinity, "Infinity"), (-.infinity, "-Infinity"),
    ] as [(Double, String)])
  func text(_ value: Double, _ expected: String) { #expect(JavaDouble.text(value) == expected) }
}
