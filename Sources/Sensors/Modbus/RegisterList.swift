internal import Telemetry
internal import YAML

/// The registers of one sensor, gathered from its map and from itself, each with its place for messages.
struct RegisterList {
  private struct Entry {
    let register: ModbusRegister
    let node: NamedNode
    /// Of the file it stands in.
    let diagnostics: Diagnostics
  }

  private var entries: [Entry] = []
  /// Of other files that registers stand in: told once all is checked.
  var files: [Diagnostics] = []
  private let naming: KeyNaming

  init(_ naming: KeyNaming) {
    self.naming = naming
  }

  var registers: [ModbusRegister] { entries.map(\.register) }

  /// Adds the entries of `registers:`. One that is there already goes: a sensor's own stands in the place of its map's.
  ///
  /// - Returns: Whether none was refused.
  mutating func add(_ reader: inout MappingReader, usual: RegisterOrder) -> Bool {
    let errorsBefore = reader.diagnostics.errorCount
    for node in reader.namedEntries("registers", atMost: ModbusSettings.registerLimit)
    where node.value.value != .invalid {
      do throws(KeyError) { _ = try naming.key(node.name) } catch {
        reader.diagnostics.error(at: node.key, "\(quoted(node.name)) cannot be a key: \(error)")
      }
      guard var inner = node.reader(reader.diagnostics),
        let register = ModbusRegister(from: &inner, name: node.name, usual: usual)
      else { continue }
      let entry = Entry(register: register, node: node, diagnostics: reader.diagnostics)
      if let place = entries.firstIndex(where: { $0.register.name == node.name }) {
        entries[place] = entry
      } else {
        entries.append(entry)
      }
    }
    return reader.diagnostics.errorCount == errorsBefore
  }

  /// Keeps what `only:` names.
  mutating func pick(_ reader: inout MappingReader) {
    guard let items = reader.list("only") else { return }
    let path = reader.path(of: "only")
    let names = registers.map(\.name)
    var picked: Set<String> = []
    for item in items where item.value != .invalid {
      guard let name = item.text, !item.isNull, names.contains(name) else {
        let near = item.text.flatMap { nearestWord(to: $0, among: names) }.map { "did you mean \(quoted($0))?" }
        reader.diagnostics.error(
          at: item, "\(path) has \(item.described()); \(near ?? "the map has \(listed(names))")")
        continue
      }
      picked.insert(name)
    }
    if items.isEmpty { reader.error(at: "only", "\(path) is empty; nothing of the map would be left") }
    entries.removeAll { !picked.contains($0.register.name) }
  }

  // MARK: Overlaps

  /// Reports registers that others have a part of: two values cannot both be made of it.
  ///
  /// Legal are parts, bits or bytes, beside anything else, and what is read twice from the same place.
  func checkOverlaps() {
    for table in ModbusTable.allCases {
      let sorted = entries.filter { $0.register.table == table && !$0.register.content.isPart }
        .enumerated().sorted { first, second in
          (first.element.register.address, first.offset) < (second.element.register.address, second.offset)
        }.map(\.element)
      guard var longest = sorted.first else { continue }
      for entry in sorted.dropFirst() {
        if entry.register.address < longest.register.range.upperBound { report(entry, longest) }
        if entry.register.range.upperBound > longest.register.range.upperBound { longest = entry }
      }
    }
  }

  private func report(_ one: Entry, _ other: Entry) {
    // At the one that stands further down, where both stand in one file.
    let isLater = one.diagnostics === other.diagnostics ? one.node.key.line >= other.node.key.line : true
    let (later, first) = isLater ? (one, other) : (other, one)
    let subject = "\(later.node.path) takes \(Self.place(later.register))"
    let found = "\(first.node.path) has"
    if later.register.range == first.register.range {
      guard later.register.content != first.register.content else { return }
      later.diagnostics.warning(
        at: later.node.key, "\(subject), which \(found) as another type; one of them reads nonsense")
    } else {
      later.diagnostics.error(
        at: later.node.key,
        "\(subject), and \(found) \(Self.place(first.register)): they overlap; check the addresses and types")
    }
  }

  private static func place(_ register: ModbusRegister) -> String {
    let range = register.range
    return range.count == 1 ? register.place : "\(register.place) to \(range.upperBound - 1)"
  }

  // MARK: Everybody

  /// Reports what unit 0 could never deliver.
  func checkBroadcast() {
    for entry in entries where !entry.register.isWritable {
      entry.diagnostics.error(
        at: entry.node.key,
        "\(entry.node.path) can only be read, and unit 0 is everybody: nobody answers; write the unit's own number")
    }
  }
}
