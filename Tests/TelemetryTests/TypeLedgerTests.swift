import Testing

@testable import Telemetry

@Suite struct TypesOfKeys {
  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// Values of one key in their order, and what is sent for each; `nil` for a refused one.
    let steps: [(Value, Value?)]
    init(_ description: String, _ steps: [(Value, Value?)]) {
      (testDescription, self.steps) = (description, steps)
    }
  }

  static let document = Value.json(.array([]))
  static let rows = [
    Row("a type stays", [(.long(1), .long(1)), (.long(2), .long(2))]),
    Row("a LONG after a DOUBLE becomes one", [(.double(1.5), .double(1.5)), (.long(2), .double(2))]),
    Row("a DOUBLE after LONGs passes", [(.long(1), .long(1)), (.double(2.5), .double(2.5)), (.long(3), .double(3))]),
    Row(
      "a LONG no double holds stays exact",
      [(.double(1), .double(1)), (.long(1 << 53 + 1), .long(1 << 53 + 1)), (.long(.max), .long(.max))]),
    Row("text for a number is refused", [(.double(1), .double(1)), (.string("x"), nil), (.double(2), .double(2))]),
    Row("a number for text is refused", [(.string("x"), .string("x")), (.long(1), nil), (.double(1), nil)]),
    Row("a boolean for a number is refused", [(.long(1), .long(1)), (.bool(true), nil)]),
    Row("a document for a boolean is refused", [(.bool(true), .bool(true)), (document, nil)]),
    Row("a boolean for a document is refused", [(document, document), (.bool(true), nil), (document, document)]),
    Row("a document that is a scalar counts as such", [(.double(1), .double(1)), (.json(.integer(2)), .double(2))]),
    Row(
      "null has no type",
      [(.json(.null), .json(.null)), (.long(1), .long(1)), (.json(.null), .json(.null)), (document, nil)]),
  ]

  @Test(arguments: rows) func aKeyKeepsItsType(_ row: Row) throws {
    var ledger = TypeLedger()
    let key = try Key("k")
    for (value, expected) in row.steps {
      let admitted = try? ledger.admit(Reading(key, value)).get()
      #expect(admitted == expected.map { Reading(key, $0) })
    }
    #expect(ledger.refused == row.steps.count { $0.1 == nil })
  }

  @Test func keysHaveTypesOfTheirOwn() throws {
    var ledger = TypeLedger()
    #expect(throws: Never.self) { try ledger.admit(Reading(Key("a"), .long(1))).get() }
    #expect(throws: Never.self) { try ledger.admit(Reading(Key("b"), .bool(true))).get() }
  }

  @Test func theFirstChangeOfAKeyIsMarked() throws {
    var ledger = TypeLedger()
    let key = try Key("k")
    _ = ledger.admit(Reading(key, .long(1)))
    let change = TypeChange(key: key, established: .long, found: .string, isFirst: true)
    #expect(ledger.admit(Reading(key, .string("x"))) == .failure(change))
    #expect(change.description.hasPrefix("k is LONG and came as STRING: not sent"))
    let second = TypeChange(key: key, established: .long, found: .boolean, isFirst: false)
    #expect(ledger.admit(Reading(key, .bool(true))) == .failure(second))
  }

  @Test func tooManyKeysPassUnchecked() throws {
    var ledger = TypeLedger(capacity: 1)
    _ = ledger.admit(Reading(try Key("a"), .long(1)))
    for value in [Value.long(1), .string("x")] {
      let reading = Reading(try Key("b"), value)
      #expect(ledger.admit(reading) == .success(reading))
    }
    #expect(ledger.unchecked == 2)
    #expect(ledger.refused == 0)
  }
}
