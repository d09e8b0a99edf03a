internal import Foundation

/// `Double.toString` of Java 19 and later: how the server prints a double between its two parses and in its answers.
enum JavaDouble {
  /// The shortest digits that give the number back, at least two; plain from 1e-3 up to 1e7, else with an exponent.
  static func text(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    let sign = value.sign == .minus ? "-" : ""
    if value.isInfinite { return sign + "Infinity" }
    if value == 0 { return sign + "0.0" }
    let magnitude = value.magnitude
    let (digits, exponent) = shortest(magnitude)
    if magnitude >= 1e-3, magnitude < 1e7 { return sign + plain(digits, exponent) }
    let fraction = digits.count > 1 ? String(digits.dropFirst()) : "0"
    return "\(sign)\(digits.prefix(1)).\(fraction)E\(exponent)"
  }

  /// Digits d₀d₁… and the exponent of d₀.d₁…
  private static func shortest(_ magnitude: Double) -> (digits: String, exponent: Int) {
    let (digits, exponent) = split("\(magnitude)")
    guard digits.count == 1 else { return (digits, exponent) }
    // Java picks among two digits even where one would do: 4.9E-324.
    let two = String(format: "%.1e", magnitude)
    return Double(two) == magnitude ? split(two) : (digits, exponent)
  }

  private static func split(_ text: String) -> (digits: String, exponent: Int) {
    let parts = text.split(separator: "e", maxSplits: 1)
    let mantissa = parts.first ?? ""
    let written = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
    let whole = mantissa.prefix { $0 != "." }
    let all = mantissa.filter { $0 != "." }
    let leadingZeros = all.prefix { $0 == "0" }.count
    var digits = String(all.dropFirst(leadingZeros))
    while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
    return (digits, written + whole.count - 1 - leadingZeros)
  }

  private static func plain(_ digits: String, _ exponent: Int) -> String {
    if exponent < 0 { return "0." + String(repeating: "0", count: -exponent - 1) + digits }
    let padded = digits + String(repeating: "0", count: max(0, exponent + 2 - digits.count))
    let point = padded.index(padded.startIndex, offsetBy: exponent + 1)
    return padded[..<point] + "." + padded[point...]
  }
}
