/// A token, key or password: no description, dump or interpolation shows it.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let value: String

  public init(_ value: String) { self.value = value }

  /// The secret itself; only for the wire.
  public func reveal() -> String { value }

  public var description: String { "‹secret›" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }

  /// `text` with every occurrence of the secret masked: servers and proxies repeat paths in what they say.
  public func masked(in text: String) -> String {
    guard !value.isEmpty else { return text }
    var rest = Substring(text)
    var result = ""
    while let found = rest.firstRange(of: value) {
      result += rest[..<found.lowerBound]
      result += description
      rest = rest[found.upperBound...]
    }
    return result + rest
  }
}

extension Substring {
  /// Where `needle` begins first; the standard library's `firstRange` lives in another module and drags in `Regex`.
  fileprivate func firstRange(of needle: String) -> Range<Index>? {
    var start = startIndex
    while start != endIndex {
      if self[start...].hasPrefix(needle) { return start..<index(start, offsetBy: needle.count) }
      formIndex(after: &start)
    }
    return nil
  }
}
