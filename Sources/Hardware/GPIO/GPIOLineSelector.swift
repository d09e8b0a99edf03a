internal import YAML

/// Which line of a chip is meant.
public enum GPIOLineSelector: Sendable, Hashable, CustomStringConvertible {
  /// Its number on the chip; on a Raspberry Pi the BCM number.
  case offset(UInt32)
  /// The kernel's name for it, `GPIO17`; which number that is, the chip says.
  case name(String)

  public var description: String {
    switch self {
    case .offset(let offset): "\(offset)"
    case .name(let name): name
    }
  }

  /// Finds a line by its name.
  ///
  /// - Parameters:
  ///   - count: How many lines the chip has.
  ///   - path: The chip, for messages.
  ///   - nameOf: What the kernel calls a line; `nil` where it does not say.
  /// - Throws: `GPIOFault` where no line is called so, or several are.
  static func offset(
    named name: String, among count: UInt32, of path: String, nameOf: (UInt32) -> String?
  ) throws(GPIOFault) -> UInt32 {
    var found: [UInt32] = []
    var others: [String] = []
    for offset in 0..<min(count, GPIOLineOptions.offsetRange.upperBound + 1) {
      guard let other = nameOf(offset), !other.isEmpty else { continue }
      if other == name { found.append(offset) } else { others.append(other) }
    }
    guard let first = found.first else {
      let near = nearestWord(to: name, among: others).map { "; did you mean \(quoted($0))?" } ?? ""
      throw GPIOFault(.wrong, "no line of \(path) is called \(quoted(name)); `gpioinfo` lists them\(near)")
    }
    guard found.count == 1 else {
      throw GPIOFault(
        .wrong,
        "the lines \(listed(found.map { "\($0)" })) of \(path) are all called \(quoted(name)); write `line: \(first)`, "
          + "or another's number")
    }
    return first
  }
}
