internal import Foundation

/// The text of a virtual sensor's lines: `N={n},T={temperature}`, the notation of the daemon's own templates.
///
/// `{n}` and `{count}` are the line's number. Every other name gets a slow wave that depends on nothing but the name's place
/// and the number, so that whoever looks at what arrived knows what it must be.
public struct SensorTemplate: Sendable, Hashable {
  private enum Part: Sendable, Hashable {
    case text(String)
    case value(Int)
  }

  public let text: String
  /// In order of appearance.
  public let names: [String]
  private let parts: [Part]

  /// - Returns: `nil` where a brace is not closed, a name is empty, or there is no name at all.
  public init?(_ text: String) {
    var parts: [Part] = []
    var names: [String] = []
    var rest = Substring(text)
    while let open = rest.firstIndex(of: "{") {
      guard let close = rest[open...].firstIndex(of: "}") else { return nil }
      let name = String(rest[rest.index(after: open)..<close])
      guard !name.isEmpty else { return nil }
      parts += [.text(String(rest[..<open])), .value(names.count)]
      names.append(name)
      rest = rest[rest.index(after: close)...]
    }
    guard !names.isEmpty else { return nil }
    self.text = text
    self.names = names
    self.parts = parts + [.text(String(rest))]
  }

  /// A line with its end.
  public func line(_ number: Int) -> String {
    let pieces = parts.map { part in
      switch part {
      case .text(let text): text
      case .value(let index): value(at: index, number)
      }
    }
    return pieces.joined() + "\n"
  }

  /// The value of a name in the line of this number, as it is written there.
  public func value(of name: String, _ number: Int) -> String? {
    names.firstIndex(of: name).map { value(at: $0, number) }
  }

  /// Lines after which a wave comes back.
  private static let period = 250.0

  private func value(at index: Int, _ number: Int) -> String {
    if names[index] == "n" || names[index] == "count" { return "\(number)" }
    let wave = sin(2 * .pi * (Double(number) / Self.period + Double(index) / 7))
    return String(format: "%.2f", 20.5 * Double(index) + 2.5 * wave)
  }
}
