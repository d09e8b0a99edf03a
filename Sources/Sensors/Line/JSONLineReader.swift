internal import Telemetry

/// `json: true`: one object a line; its members are the values, typed as they are, nested ones as JSON, `null` left out.
struct JSONLineReader: LineReader {
  private var keys: LineKeys
  private var ledger: ValueLedger

  init(_ naming: KeyNaming, scales: [String: LinearScale]) {
    keys = LineKeys(naming, scales: scales)
    ledger = ValueLedger(naming)
  }

  mutating func read(_ line: ArraySlice<UInt8>, into result: inout LineResult) throws(LineMismatch) {
    let document: JSON
    do throws(JSONError) { document = try JSON(parsing: line) } catch { throw LineMismatch(.notJSON, "\(error)") }
    guard case .object(let members) = document else {
      throw LineMismatch(.notJSON, "expected a JSON object such as {\"t\":21.5}")
    }
    keys.beginLine()
    result.readings.reserveCapacity(members.count)
    for member in members {
      let name = member.name
      switch keys.look(up: name.utf8) {
      case .repeated(let entry):
        throw LineMismatch(.badKey, "two names that both mean the key \(quoted(entry.name.utf8))")
      case .unusable:
        result.omit(LineMismatch(.badKey, "\(quoted(name.utf8)) cannot be a key"))
      case .tooMany: result.omit(.tooManyKeys(Array(name.utf8)[...]))
      case .entry(let entry):
        guard let value = try value(member.value, entry) else { continue }
        ledger.admit(Reading(entry.key, value), into: &result)
      }
    }
  }

  private func value(_ json: JSON, _ entry: LineKeys.Entry) throws(LineMismatch) -> Value? {
    switch json {
    case .null: return nil
    case .integer(let number):
      return entry.scale.map { .double($0(Double(number))) } ?? .long(number)
    case .double(let number):
      let value = entry.scale.map { $0(number) } ?? number
      guard value.isFinite else { throw LineMismatch(.outOfRange, "the number of \(entry.name) is beyond a double") }
      return .double(value)
    default: break
    }
    guard entry.scale == nil else {
      throw LineMismatch(.notNumber, "expected a number for \(entry.name), which has a scale")
    }
    switch json {
    case .bool(let value): return .bool(value)
    case .string(let text): return .string(text)
    default: return .json(json)
    }
  }
}

extension LineMismatch {
  static func tooManyKeys(_ name: ArraySlice<UInt8>) -> LineMismatch {
    LineMismatch(
      .tooManyKeys, "\(quoted(name)) is left out: the sensor has \(LineKeys.limit) different keys already")
  }
}
