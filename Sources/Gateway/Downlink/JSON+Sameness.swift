internal import Telemetry

extension JSON {
  /// Whether both say the same: numbers by value whatever their spelling (`1.0E7` and `10000000`), objects whatever the
  /// order of their members, text byte for byte.
  func isSame(as other: JSON) -> Bool {
    switch (self, other) {
    case (.integer(let integer), .double(let double)), (.double(let double), .integer(let integer)):
      Int64(exactly: double) == integer
    case (.string(let first), .string(let second)): first.utf8.elementsEqual(second.utf8)
    case (.array(let first), .array(let second)):
      first.count == second.count && zip(first, second).allSatisfy { $0.isSame(as: $1) }
    case (.object(let first), .object(let second)): Self.areSame(first, second)
    case (.null, _), (.bool, _), (.integer, _), (.double, _), (.string, _), (.array, _), (.object, _): self == other
    }
  }

  private static func areSame(_ first: [Member], _ second: [Member]) -> Bool {
    guard first.count == second.count else { return false }
    func agree(_ pair: (Member, Member)) -> Bool {
      pair.0.name.utf8.elementsEqual(pair.1.name.utf8) && pair.0.value.isSame(as: pair.1.value)
    }
    // Mostly the order is the same. Sorting, as a search for each member would take its time where there are many.
    return zip(first, second).allSatisfy(agree) || zip(sorted(first), sorted(second)).allSatisfy(agree)
  }

  private static func sorted(_ members: [Member]) -> [Member] {
    members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }
}
