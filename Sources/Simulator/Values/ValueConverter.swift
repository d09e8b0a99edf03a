/// What the server makes of a telemetry or attributes body: its converter, run twice as the server does.
///
/// Source: contract.md, section 1; `server-answers.jsonl` has the real converter's verdicts, and a test compares.
public struct ValueConverter: Sendable {
  /// Whether strings that look like numbers become numbers, and numbers no type holds become strings; the server's default.
  public var typeCast = true
  /// The most UTF-16 units of a string value; 0 is no limit, the server's default.
  public var maxStringLength = 0

  public init() {}

  /// A key with its value.
  public struct Entry: Sendable, Hashable {
    public var key: String
    public var value: StoredValue
  }

  /// A message whose values vanish although the request was answered 200.
  public struct Loss: Sendable, Hashable {
    /// The element's time stamp; `nil` for attributes.
    public var ts: Int64?
    /// The server's log, never shown to the client.
    public var reason: String
  }

  /// The answer to a request, and what is stored.
  public enum Outcome: Sendable, Hashable {
    /// 200 with an empty body. `elements` is how many messages the body made.
    case accepted(stored: [Entry], lost: [Loss], elements: Int)
    /// 500 with the parser's words: the payload is at fault.
    case refused(String)
    /// 500 with an empty body; the reason stays in the server's log.
    case failed(String)
    /// An empty array: no answer at all until the servlet's limit.
    case unanswered
  }

  /// Converts the body of `POST /{token}/telemetry`.
  ///
  /// - Parameter now: The time of values without one, in milliseconds since 1970.
  public func telemetry(_ body: [UInt8], now: Int64) -> Outcome {
    do throws(ConversionError) {
      let document = try parse(body)
      let messages = try self.messages(in: document, now: now)
      if messages.isEmpty { return .unanswered }
      var stored: [Entry] = []
      var lost: [Loss] = []
      for message in messages {
        do throws(ConversionError) { stored += try afterRuleChain(message) } catch {
          lost.append(Loss(ts: message.ts, reason: error.reason))
        }
      }
      return .accepted(stored: stored, lost: lost, elements: messages.count)
    } catch {
      return error.outcome
    }
  }

  /// Converts the body of `POST /{token}/attributes`. The entries' time stamp is `now`.
  public func attributes(_ body: [UInt8], now: Int64) -> Outcome {
    do throws(ConversionError) {
      let document = try parse(body)
      guard case .object = document else { throw .syntax("Can't parse value: \(document.text)") }
      let first = Message(ts: now, entries: try entries(of: document, ts: now))
      do throws(ConversionError) {
        let second = try entries(of: first.document, ts: now)
        try checkKeys(second)
        return .accepted(stored: second, lost: [], elements: 1)
      } catch {
        return .accepted(stored: [], lost: [Loss(ts: nil, reason: error.reason)], elements: 1)
      }
    } catch {
      return error.outcome
    }
  }

  // MARK: Messages

  private func parse(_ body: [UInt8]) throws(ConversionError) -> LiteralJSON {
    do throws(LiteralJSON.SyntaxError) { return try LiteralJSON.parse(body).document } catch {
      throw .syntax(error.message)
    }
  }

  /// The transport's parse: one message for each object.
  private func messages(in document: LiteralJSON, now: Int64) throws(ConversionError) -> [Message] {
    switch document {
    case .object: return [try message(from: document, now: now)]
    case .array(let elements):
      var messages: [Message] = []
      for element in elements {
        guard case .object = element else { throw .syntax("Can't parse value: \(element.text)") }
        messages.append(try message(from: element, now: now))
      }
      return messages
    default: throw .syntax("Can't parse value: \(document.text)")
    }
  }

  private func message(from object: LiteralJSON, now: Int64) throws(ConversionError) -> Message {
    guard let ts = object["ts"], let values = object["values"] else {
      return Message(ts: now, entries: try entries(of: object, ts: now))
    }
    let time = try timestamp(ts)
    guard case .object = values else {
      throw .exception("IllegalStateException", "Not a JSON Object: \(values.text)")
    }
    return Message(ts: time, entries: try entries(of: values, ts: time))
  }

  /// The save node's parse of the message as the rule chain prints it.
  private func afterRuleChain(_ message: Message) throws(ConversionError) -> [Entry] {
    let document = message.document
    let second = try self.message(from: document, now: message.ts)
    guard !second.entries.isEmpty else { throw .empty("Msg body is empty: \(document.text)") }
    try checkKeys(second.entries)
    return second.entries
  }

  private func checkKeys(_ entries: [Entry]) throws(ConversionError) {
    for entry in entries {
      if let fault = KeyRule.fault(of: entry.key) { throw .exception("DataValidationException", fault) }
    }
  }

  /// Java's `getAsLong`: wraps where a number is out of range.
  private func timestamp(_ value: LiteralJSON) throws(ConversionError) -> Int64 {
    switch value {
    case .number(let literal):
      if let integer = Int64(literal) { return integer }
      guard let decimal = DecimalLiteral(literal), abs(decimal.scale) < 10_000, literal.utf8.count <= 10_000 else {
        throw .exception("NumberFormatException", "Number string too large")
      }
      return decimal.wrappedInteger
    case .string(let text):
      let digits = text.first == "-" || text.first == "+" ? text.dropFirst() : Substring(text)
      let ascii = digits.unicodeScalars.map { DecimalLiteral.digit($0) }
      let plain = ascii.compactMap { $0.map(String.init) }.joined()
      guard !ascii.isEmpty, !ascii.contains(nil), let integer = Int64((text.first == "-" ? "-" : "") + plain) else {
        throw .exception("NumberFormatException", "For input string: \"\(text)\"")
      }
      return integer
    case .bool(let value): throw .exception("NumberFormatException", "For input string: \"\(value)\"")
    case .null: throw .exception("UnsupportedOperationException", "JsonNull")
    case .object: throw .exception("UnsupportedOperationException", "JsonObject")
    case .array(let elements):
      guard elements.count == 1, let only = elements.first else {
        throw .exception("IllegalStateException", "Array must have size 1, but has size \(elements.count)")
      }
      return try timestamp(only)
    }
  }

  // MARK: Values

  private func entries(of object: LiteralJSON, ts: Int64) throws(ConversionError) -> [Entry] {
    guard case .object(let members) = object else { return [] }
    var entries: [Entry] = []
    entries.reserveCapacity(members.count)
    for member in members {
      guard let (type, text) = try convert(member.value, key: member.name.text) else { continue }
      entries.append(Entry(key: member.name.text, value: StoredValue(ts: ts, type: type, text: text)))
    }
    return entries
  }

  private func convert(
    _ value: LiteralJSON, key: String
  ) throws(ConversionError) -> (type: StoredType, text: String)? {
    switch value {
    case .null: return nil
    case .bool(let value): return (.boolean, value ? "true" : "false")
    case .number(let literal): return try number(literal)
    case .string(let text):
      let length = text.utf16.count
      if maxStringLength > 0, length > maxStringLength {
        throw .syntax(
          "String value length [\(length)] for key [\(key)] is greater than maximum allowed [\(maxStringLength)]")
      }
      // What looks like a number and is none after all stays a string.
      if typeCast, Self.isParsable(text), let cast = try? number(text) { return cast }
      return (.string, text)
    case .array, .object: return (.json, value.text)
    }
  }

  /// Characters of a number written out. The server knows no limit and runs out of memory instead.
  private static let plainTextLimit = 1_000_000

  private func number(_ literal: String) throws(ConversionError) -> (type: StoredType, text: String) {
    guard let decimal = DecimalLiteral(literal) else {
      throw .exception("NumberFormatException", "Too many nonzero exponent digits.")
    }
    let isPlainFraction = literal.contains(".") && !literal.contains("e") && !literal.contains("E")
    if decimal.isIntegral, !isPlainFraction {
      if let integer = decimal.integer { return (.long, "\(integer)") }
    } else if decimal.scale <= 16 {
      return (.double, JavaDouble.text(decimal.double))
    }
    guard typeCast else { throw .syntax("Big integer values are not supported!") }
    guard decimal.plainTextCount <= Self.plainTextLimit else {
      throw .exception("OutOfMemoryError", "Java heap space")
    }
    return (.string, decimal.plainText)
  }

  /// `NumberUtils.isParsable` of Apache Commons: digits of any script, at most one point and not at the end, one minus.
  private static func isParsable(_ text: String) -> Bool {
    var units = Substring(text).unicodeScalars
    if units.isEmpty || units.last == "." { return false }
    if units.first == "-" { units.removeFirst() }
    var points = 0
    for scalar in units {
      if scalar == "." {
        points += 1
      } else if scalar.value > 0xFFFF || DecimalLiteral.digit(scalar) == nil {
        // It looks at UTF-16 units, so no digit beyond the first plane counts.
        return false
      }
    }
    return points <= 1 && !units.isEmpty
  }
}

/// One object of a body, converted once.
private struct Message {
  var ts: Int64
  var entries: [ValueConverter.Entry]

  /// How the rule chain prints it, parsed.
  var document: LiteralJSON {
    .object(
      entries.map { entry in
        LiteralJSON.Member(name: ExactText(entry.key), value: entry.value.printed)
      })
  }
}

extension StoredValue {
  /// The value as the server prints it into JSON; members that are null are left out.
  fileprivate var printed: LiteralJSON {
    switch type {
    case .boolean: return .bool(text == "true")
    case .long: return .number(text)
    // A bare `Infinity` is read back as a string.
    case .double: return text.hasSuffix("y") || text == "NaN" ? .string(text) : .number(text)
    case .string: return .string(text)
    case .json:
      let document = try? LiteralJSON.parse(Array(text.utf8)).document
      return (document ?? .string(text)).withoutNullMembers
    }
  }
}

/// An exception of the server's converter.
private enum ConversionError: Error {
  /// `JsonSyntaxException`: the client sees the message.
  case syntax(String)
  /// Any other: the client sees nothing.
  case exception(String, String)
  /// Nothing left to store.
  case empty(String)

  var reason: String {
    switch self {
    case .syntax(let message): "JsonSyntaxException: \(message)"
    case .exception(let type, let message): "\(type): \(message)"
    case .empty(let message): message
    }
  }

  var outcome: ValueConverter.Outcome {
    if case .syntax(let message) = self { return .refused(message) }
    return .failed(reason)
  }
}
