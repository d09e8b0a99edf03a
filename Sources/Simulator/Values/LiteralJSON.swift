/// A JSON document that keeps what decides a value's type on the server: each number's spelling and the members' order.
indirect enum LiteralJSON: Sendable, Equatable {
  case null
  case bool(Bool)
  /// The literal as it was written.
  case number(String)
  case string(String)
  case array([LiteralJSON])
  /// Names are unique, byte by byte.
  case object([Member])

  struct Member: Sendable, Equatable {
    var name: ExactText
    var value: LiteralJSON
  }

  subscript(name: String) -> LiteralJSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == ExactText(name) }?.value
  }
}

/// Text that is equal only where its bytes are: Swift's own strings also match canonically, and the server's don't.
struct ExactText: Sendable, Hashable {
  let text: String

  init(_ text: String) { self.text = text }

  static func == (left: ExactText, right: ExactText) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

  func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
  }
}

extension LiteralJSON {
  /// The document as the server's JSON library prints it, spellings of numbers unchanged.
  var text: String {
    var output = ""
    write(to: &output)
    return output
  }

  /// The same without members that are `null`, at every depth: what the rule chain's printer leaves out.
  var withoutNullMembers: LiteralJSON {
    switch self {
    case .array(let elements): return .array(elements.map(\.withoutNullMembers))
    case .object(let members):
      return .object(
        members.compactMap { member in
          member.value == .null ? nil : Member(name: member.name, value: member.value.withoutNullMembers)
        })
    default: return self
    }
  }

  private func write(to output: inout String) {
    switch self {
    case .null: output += "null"
    case .bool(let value): output += value ? "true" : "false"
    case .number(let literal): output += literal
    case .string(let text): Self.write(text, to: &output)
    case .array(let elements):
      output += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { output += "," }
        element.write(to: &output)
      }
      output += "]"
    case .object(let members):
      output += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { output += "," }
        Self.write(member.name.text, to: &output)
        output += ":"
        member.value.write(to: &output)
      }
      output += "}"
    }
  }

  private static func write(_ text: String, to output: inout String) {
    output += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\t": output += "\\t"
      case "\n": output += "\\n"
      case "\r": output += "\\r"
      case "\u{8}": output += "\\b"
      case "\u{C}": output += "\\f"
      case "\u{0}"..."\u{1F}", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: output.unicodeScalars.append(scalar)
      }
    }
    output += "\""
  }
}
