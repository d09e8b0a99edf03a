/// Which registers are read with one request: those next to each other, within what a unit delivers at once.
///
/// Source: MODBUS Application Protocol Specification V1.1b3, 6.1 to 6.4 (the limits).
struct ModbusPlan: Sendable {
  /// One request.
  struct Block: Sendable, Hashable {
    let table: ModbusTable
    let every: Int
    /// Indexes among the registers the plan was made of, by address.
    let members: [Int]
    /// What it reads.
    let range: Range<Int>
    /// It was refused though nothing can be left out: asked again only in this cycle.
    var restsUntil: Int?

    var request: ModbusRequest { .read(table, address: UInt16(clamping: range.lowerBound), count: range.count) }
    var place: String {
      range.count == 1
        ? "\(table.rawValue) \(range.lowerBound)" : "\(table.rawValue) \(range.lowerBound) to \(range.upperBound - 1)"
    }
  }

  private(set) var blocks: [Block] = []
  private let registers: [ModbusRegister]

  /// - Parameters:
  ///   - registers: Those that are polled.
  ///   - maxGap: The most addresses nobody asked for that are read between two registers.
  ///   - maxRegisters: The most registers of one request.
  init(_ registers: [ModbusRegister], maxGap: Int, maxRegisters: Int) {
    self.registers = registers
    for table in ModbusTable.allCases {
      let limit = table.hasBits ? ModbusLimits.bitsRead : maxRegisters
      let own = registers.indices.filter { registers[$0].table == table }
      for every in Set(own.map { registers[$0].every }).sorted() {
        let sorted = own.filter { registers[$0].every == every }.sorted { first, second in
          (registers[first].address, first) < (registers[second].address, second)
        }
        append(sorted, table, every, maxGap, limit)
      }
    }
  }

  private mutating func append(_ sorted: [Int], _ table: ModbusTable, _ every: Int, _ maxGap: Int, _ limit: Int) {
    var members: [Int] = []
    var range = 0..<0
    for index in sorted {
      let next = registers[index].range
      let together = range.lowerBound..<max(range.upperBound, next.upperBound)
      // What shares registers with the last one stays with it, whatever the limit: it cannot be longer than both.
      let belongs = next.lowerBound < range.upperBound && next.upperBound <= range.upperBound
      if !members.isEmpty, belongs || (next.lowerBound - range.upperBound <= maxGap && together.count <= limit) {
        members.append(index)
        range = together
      } else {
        if !members.isEmpty { blocks.append(Block(table: table, every: every, members: members, range: range)) }
        (members, range) = ([index], next)
      }
    }
    if !members.isEmpty { blocks.append(Block(table: table, every: every, members: members, range: range)) }
  }

  /// Puts two blocks in the place of one, each with about half of its registers.
  ///
  /// - Returns: False where they all share registers, and nothing changes.
  mutating func split(_ index: Int) -> Bool {
    let block = blocks[index]
    // Only where no register goes on from one half into the other.
    var end = 0
    var cuts: [Int] = []
    for (position, member) in block.members.enumerated() {
      if position > 0, registers[member].range.lowerBound >= end { cuts.append(position) }
      end = max(end, registers[member].range.upperBound)
    }
    let middle = block.members.count / 2
    guard let cut = cuts.min(by: { abs($0 - middle) < abs($1 - middle) }) else { return false }
    let halves = [block.members[..<cut], block.members[cut...]].map { members in
      Block(table: block.table, every: block.every, members: Array(members), range: bounds(of: members))
    }
    blocks.replaceSubrange(index...index, with: halves)
    return true
  }

  /// Lets a block that was refused rest; `nil` ends that.
  mutating func rest(_ index: Int, until cycle: Int?) { blocks[index].restsUntil = cycle }

  private func bounds(of members: ArraySlice<Int>) -> Range<Int> {
    let ranges = members.map { registers[$0].range }
    return (ranges.map(\.lowerBound).min() ?? 0)..<(ranges.map(\.upperBound).max() ?? 0)
  }
}
