/// Turns libyaml's complaint into a message a person can act on.
enum SyntaxMessage {
  static func of(
    _ failure: EventParser.Failure, in input: UnsafeBufferPointer<UInt8>
  ) -> (place: EventParser.Place, message: String) {
    guard let place = failure.place else {
      return (Self.place(ofByte: failure.offset, in: input), unreadable(failure, in: input))
    }
    if failure.problem == "found unexpected end of stream", let quote = failure.contextPlace {
      return (quote, "the quote that opens here is never closed")
    }
    let line = text(ofLine: place.line, in: input)
    if line.prefix(while: { $0 == " " || $0 == "\t" }).contains("\t") {
      let column = (line.firstIndex(of: "\t") ?? 0) + 1
      return (EventParser.Place(line: place.line, column: column), "a tab indents this line; YAML indents with spaces")
    }
    var message = failure.problem
    if let context = failure.context, !message.holds(context) {
      message += " \(context)"
      if let start = failure.contextPlace, start.line != place.line { message += " (from line \(start.line))" }
    }
    if let hint = hint(for: failure, at: place, line: line) { message += "; \(hint)" }
    return (place, message)
  }

  private static func unreadable(_ failure: EventParser.Failure, in input: UnsafeBufferPointer<UInt8>) -> String {
    guard failure.offset < input.count else { return "the text ends inside a character; is the file UTF-8?" }
    let byte = "0x" + (input[failure.offset] < 16 ? "0" : "") + String(input[failure.offset], radix: 16)
    return input[failure.offset] < 0x80
      ? "a control character (\(byte)) is not accepted; is this a text file?"
      : "a byte (\(byte)) that is not UTF-8; save the file as UTF-8"
  }

  private static func hint(
    for failure: EventParser.Failure, at place: EventParser.Place, line: [Unicode.Scalar]
  ) -> String? {
    let character = place.column <= line.count ? line[place.column - 1] : nil
    switch failure.problem {
    case "mapping values are not allowed in this context":
      return "a key follows on a line of its own, and text with \": \" in it needs quotes"
    case "could not find expected ':'":
      return "is a colon and a space missing after a key?"
    case "found unexpected document indicator": return "a quote is not closed"
    case "found unknown escape character", "did not find expected hexdecimal number":
      return "in double quotes a backslash is written twice; single quotes leave it alone"
    case "found character that cannot start any token":
      guard let character else { return nil }
      return "text that begins with \(character) needs quotes"
    case "did not find expected key", "did not find expected ',' or '}'", "did not find expected ',' or ']'",
      "did not find expected '-' indicator", "did not find expected <document start>":
      return line.contains("{") || line.contains("[") || line.contains("\"") || line.contains("'")
        ? "text with { [ or quotes in it needs quotes around the whole; otherwise check the indentation"
        : "check the indentation"
    default: return nil
    }
  }

  /// Lines end as libyaml ends them, but for the two Unicode separators nobody types.
  private static func text(ofLine wanted: Int, in input: UnsafeBufferPointer<UInt8>) -> [Unicode.Scalar] {
    var line = 1
    var start = 0
    for index in input.indices where input[index] == 0x0A {
      if line == wanted { return Array(String(decoding: input[start..<index], as: UTF8.self).unicodeScalars) }
      line += 1
      start = index + 1
    }
    return line == wanted ? Array(String(decoding: input[start...], as: UTF8.self).unicodeScalars) : []
  }

  private static func place(ofByte offset: Int, in input: UnsafeBufferPointer<UInt8>) -> EventParser.Place {
    var place = EventParser.Place(line: 1, column: 1)
    for byte in input.prefix(max(0, offset)) {
      if byte == 0x0A {
        place.line += 1
        place.column = 1
      } else if byte & 0xC0 != 0x80 {
        place.column += 1
      }
    }
    return place
  }
}

extension String {
  /// Whether `text` stands anywhere in it. The standard library's own brings the regular expression engine along, 1 MB.
  fileprivate func holds(_ text: String) -> Bool {
    let (bytes, wanted) = (Array(utf8), Array(text.utf8))
    guard wanted.count <= bytes.count else { return false }
    return (0...bytes.count - wanted.count).contains { bytes[$0..<$0 + wanted.count].elementsEqual(wanted) }
  }
}
