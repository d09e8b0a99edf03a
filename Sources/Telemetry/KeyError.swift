/// Why a name cannot be a key. The server would answer 200 and lose every value of the record that holds such a key.
public enum KeyError: Error, Hashable, Sendable {
  /// Empty, or white space only.
  case blank
  /// More than 255 UTF-16 units; how many there are.
  case tooLong(Int)
  /// A `<`, which the server takes for HTML.
  case html
  /// A `{{`, which the server takes for a template.
  case template
  /// U+0000 or another control character.
  case controlCharacter
}

extension KeyError: CustomStringConvertible {
  /// `the key is blank; give it a name`, for a person who can edit the configuration.
  public var description: String {
    switch self {
    case .blank: "the key is blank; give it a name"
    case .tooLong(let count):
      "the key has \(count) UTF-16 units and the server takes \(Key.longest); shorten it"
    case .html: "the key holds \"<\", which the server refuses as HTML; leave it out"
    case .template: "the key holds \"{{\", which the server refuses as a template; leave it out"
    case .controlCharacter: "the key holds a control character; leave it out"
    }
  }
}
