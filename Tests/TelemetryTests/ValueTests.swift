import Testing

@testable import Telemetry

@Suite struct Values {
  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let value: Value
    let text: String?
    let reason: UnsendableReason?
    init(_ description: String, _ value: Value, _ text: String) {
      (testDescription, self.value, self.text, reason) = (description, value, text, nil)
    }
    init(_ description: String, _ value: Value, _ reason: UnsendableReason) {
      (testDescription, self.value, text, self.reason) = (description, value, nil, reason)
    }
  }

  static func arrays(_ depth: Int) -> Value {
    .json((0..<depth).reduce(.null) { document, _ in .array([document]) })
  }

  static func objects(_ depth: Int) -> Value {
    .json((0..<depth).reduce(.null) { document, _ in .object([.init("a", document)]) })
  }

  static let rows = [
    Row("a boolean", .bool(true), "true"),
    Row("an integer", .long(.min), "-9223372036854775808"),
    Row("a double", .double(21), "21.0"),
    Row("a string", .string("x\"\0"), #""x\"""#),
    Row("a document", .json(.object([.init("a", .double(1))])), #"{"a":1.0}"#),
    Row("nulls inside a document", .json(.array([.null, .object([.init("a", .null)])])), #"[null,{"a":null}]"#),
    Row("a large number inside a document", .json(.array([.double(1e19)])), "[10000000000000000000.0]"),
    Row("a scalar as a document", .json(.integer(5)), "5"),
    Row("the largest double below 2^63", .double(0x1p63.nextDown), "9223372036854774784.0"),
    Row("2^63", .double(0x1p63), .tooLarge),
    Row("-2^63", .double(-0x1p63), .tooLarge),
    Row("1e22", .double(1e22), .tooLarge),
    Row("the largest double", .double(.greatestFiniteMagnitude), .tooLarge),
    Row("infinity", .double(.infinity), .infinite),
    Row("negative infinity", .double(-.infinity), .infinite),
    Row("not a number", .double(.nan), .notANumber),
    Row("a signalling one", .double(.signalingNaN), .notANumber),
    Row("null", .json(.null), .null),
    Row("2^63 as a document", .json(.double(0x1p63)), .tooLarge),
    Row("not a number inside a document", .json(.array([.object([.init("a", .double(.nan))])])), .notANumber),
    Row("infinity inside a document", .json(.array([.double(.infinity)])), .infinite),
    Row("201 arrays", arrays(201), .nestedTooDeeply),
    Row("201 objects", objects(201), .nestedTooDeeply),
    Row("many objects", objects(2_000), .nestedTooDeeply),
  ]

  @Test(arguments: rows) func asItIsSent(_ row: Row) {
    #expect(row.value.unsendable == row.reason)
    if let expected = row.text { #expect(text { row.value.append(to: &$0) } == expected) }
  }

  @Test func twoHundredContainersAreSent() {
    #expect(Self.arrays(200).unsendable == nil)
    #expect(Self.objects(200).unsendable == nil)
  }

  @Test func aDocumentsMembersBecomeValues() {
    #expect(Value(.integer(1)) == .long(1))
    #expect(Value(.double(1)) == .double(1))
    #expect(Value(.bool(false)) == .bool(false))
    #expect(Value(.string("x")) == .string("x"))
    #expect(Value(.array([])) == .json(.array([])))
    #expect(Value(.object([])) == .json(.object([])))
    #expect(Value(.null) == nil)
  }
}

@Suite struct RecordWriting {
  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let readings: [(String, Value)]
    let text: String
    let refused: [String: UnsendableReason]
    init(
      _ description: String, _ readings: [(String, Value)], _ text: String,
      refused: [String: UnsendableReason] = [:]
    ) {
      (testDescription, self.readings, self.text, self.refused) = (description, readings, text, refused)
    }
  }

  static let rows = [
    Row("one value", [("t", .double(21))], #"{"t":21.0}"#),
    Row("several", [("t", .double(21)), ("n", .long(3)), ("s", .string("x"))], #"{"t":21.0,"n":3,"s":"x"}"#),
    Row("nothing", [], ""),
    Row(
      "what cannot be sent is left out", [("a", .double(.nan)), ("b", .long(1))], #"{"b":1}"#,
      refused: ["a": .notANumber]),
    Row("nothing can be sent", [("a", .json(.null))], "", refused: ["a": .null]),
    Row("a key twice: the last stands", [("a", .long(1)), ("b", .long(2)), ("a", .long(3))], #"{"b":2,"a":3}"#),
    Row(
      "a key twice, the last cannot be sent", [("a", .long(1)), ("a", .double(.infinity))], #"{"a":1}"#,
      refused: ["a": .infinite]),
    Row("ts alone", [("ts", .long(1))], #"{"ts":1}"#),
    Row("values alone", [("values", .long(1))], #"{"values":1}"#),
    Row(
      "values beside ts", [("values", .long(1)), ("ts", .long(2)), ("x", .long(3))], #"{"ts":2,"x":3}"#,
      refused: ["values": .valuesBesideTimestamp]),
    Row(
      "ts beside values", [("ts", .long(2)), ("values", .long(1))], #"{"ts":2}"#,
      refused: ["values": .valuesBesideTimestamp]),
    Row(
      "values beside a ts that cannot be sent", [("ts", .double(.nan)), ("values", .long(1))], #"{"values":1}"#,
      refused: ["ts": .notANumber]),
    Row(
      "a key twice among many", (0..<40).map { ("k\($0 % 39)", .long(Int64($0))) },
      "{" + (1..<39).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + ",\"k0\":39}"),
  ]

  @Test(arguments: rows) func aRecordIs(_ row: Row) throws {
    var buffer = Array("[".utf8)
    var refused: [String: UnsendableReason] = [:]
    let readings = try row.readings.map { Reading(try Key($0.0), $0.1) }
    let written = appendValues(readings, to: &buffer) { refused[$0.key.name] = $1 }
    #expect(String(decoding: buffer, as: UTF8.self) == "[" + row.text)
    #expect(refused == row.refused)
    if written == 0 {
      #expect(row.text == "")
    } else {
      guard case .object(let members) = try JSON(parsing: Array(row.text.utf8)) else { throw JSONError(.empty, at: 0) }
      #expect(members.count == written)
    }
  }
}
