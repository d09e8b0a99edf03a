/// Whether everything the sensors sent is on the server exactly once.
struct Verdict: Sendable, Equatable {
  /// Values sent: lines by names.
  var expected = 0
  /// Of those, on the server with the right value, once.
  var arrived = 0
  /// Commands that were answered once, with the line's new value.
  var commands = 0
  /// What is wrong, one line each.
  var faults: [String] = []

  var isGood: Bool { faults.isEmpty && arrived == expected && expected > 0 }

  /// One line.
  var summary: String {
    if isGood {
      let down = commands > 0 ? "; \(commands) commands carried out and answered once" : ""
      return "PASS: \(arrived) of \(expected) readings arrived once, each with its own value, all DOUBLE\(down)"
    }
    let reason = expected == 0 ? "; no line was sent" : ""
    return "FAIL: \(arrived) of \(expected) readings arrived once\(reason)"
  }

  /// Compares one sensor.
  ///
  /// - Parameters:
  ///   - sent: The numbers of the lines that were fully written.
  ///   - values: What the server has under a key, oldest first.
  mutating func check(_ sensor: DemoSensor, sent: [Int], values: (String) -> [StoredValue]) {
    expected += sent.count * sensor.template.names.count
    let numbers = values(sensor.numberKey)
    // Which line a time stamp belongs to.
    var lineAt: [Int64: Int] = [:]
    var times: [Int: Int] = [:]
    for value in numbers {
      guard let number = value.number.flatMap({ Int(exactly: $0) }) else {
        faults.append("\(sensor.numberKey) has \(value.type.rawValue) \(value.text), which was never sent")
        continue
      }
      lineAt[value.ts] = number
      times[number, default: 0] += 1
    }
    let sentNumbers = Set(sent)
    note("\(sensor.name): lines missing", sent.filter { times[$0] == nil })
    note("\(sensor.name): lines stored more than once", times.filter { $0.value > 1 }.map(\.key).sorted())
    note("\(sensor.name): lines stored and never fully sent", times.keys.filter { !sentNumbers.contains($0) }.sorted())
    for name in sensor.template.names {
      var wrong: [Int] = []
      var types: Set<String> = []
      var seen = Set<Int>()
      for value in values(sensor.key(name)) {
        guard let line = lineAt[value.ts] else {
          faults.append("\(sensor.key(name)) has \(value.text) at \(value.ts), where no line is")
          continue
        }
        if value.type != .double { types.insert(value.type.rawValue) }
        let text = sensor.template.value(of: name, line)
        if value.number != text.flatMap({ Double($0) }) {
          wrong.append(line)
        } else if value.type == .double, sentNumbers.contains(line), times[line] == 1, seen.insert(line).inserted {
          arrived += 1
        }
      }
      note("\(sensor.key(name)): wrong values in lines", wrong)
      if !types.isEmpty { faults.append("\(sensor.key(name)): stored as \(types.sorted().joined(separator: ", "))") }
    }
  }

  /// Numbers that are named in a fault.
  private static let shown = 10

  private mutating func note(_ what: String, _ numbers: [Int]) {
    guard !numbers.isEmpty else { return }
    let list = numbers.prefix(Self.shown).map { "\($0)" }.joined(separator: ", ")
    faults.append("\(what): \(list)\(numbers.count > Self.shown ? ", … (\(numbers.count))" : "")")
  }
}
