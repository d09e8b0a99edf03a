internal import Telemetry
internal import YAML

extension RegisterOrder {
  /// Reads `word_order` and `byte_order`.
  init(from reader: inout MappingReader, usual: RegisterOrder) {
    words = reader.word("word_order", of: End.self) ?? usual.words
    bytes = reader.word("byte_order", of: End.self) ?? usual.bytes
  }
}

/// What `type:` may say.
private enum RegisterType: String, CaseIterable {
  case bit, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float16, float32, float64, string
}

extension ModbusRegister {
  /// The most names of numbers.
  private static let labelLimit = 256
  /// The most patterns that mean "no value".
  private static let invalidLimit = 16
  /// The most characters of a unit.
  private static let longestUnit = 32
  /// The rarest: in each ten thousandth cycle.
  private static let rarest = 10_000

  private static let keys = [
    "type", "bit", "bits", "byte", "length", "word_order", "byte_order", "scale", "offset", "enum", "invalid", "units",
    "access", "write", "every",
  ]

  private static let hints = [
    "address": "the table says it: holding: 0, input: 0, coil: 0 or discrete: 0",
    "register": "the table says it: holding: 0, input: 0, coil: 0 or discrete: 0",
    "function": "the table says it: holding: 0, input: 0, coil: 0 or discrete: 0",
    "unit": "the Modbus unit is the sensor's; a quantity has units: V",
    "factor": "the key is \"scale\"", "data_type": "the key is \"type\"", "mask": "bits: 4..7 takes a part",
    "swap": "word_order: little and byte_order: little say it", "writable": "access: read_write says it",
    "interval": "the interval is the sensor's; every: 10 reads it in each tenth cycle",
  ]

  /// Reads one entry of `registers:`; what is wrong goes to the reader's diagnostics.
  ///
  /// - Parameters:
  ///   - name: The entry's name.
  ///   - usual: The order where the entry says none.
  init?(from reader: inout MappingReader, name: String, usual: RegisterOrder) {
    for key in Self.keys { _ = reader.makeKnown(key) }
    let tables = ModbusTable.allCases.filter { reader.makeKnown($0.rawValue) }
    guard let table = tables.first, tables.count == 1 else {
      let found = tables.isEmpty ? "no address" : listed(tables.map(\.rawValue))
      reader.error(
        at: tables.last?.rawValue ?? "",
        "\(reader.path) has \(found); expected one of holding: 0, input: 0, coil: 0 or discrete: 0, with its address")
      _ = reader.finish(hints: Self.hints)
      return nil
    }
    let address = Self.address(table, &reader)
    let content = table.hasBits ? Self.truth(table, &reader) : Self.content(&reader)
    var order = table.hasBits ? RegisterOrder() : RegisterOrder(from: &reader, usual: usual)
    // Characters come in their order.
    if case .text = content { order.words = .big }
    guard let content else {
      _ = reader.finish(hints: Self.hints)
      return nil
    }
    scale = Self.scale(content, &reader)
    labels = Self.labels(content, hasScale: scale != nil, &reader)
    invalid = Self.invalid(content, &reader)
    unit = Self.unit(&reader)
    every = reader.integer("every", in: 0...Self.rarest) ?? 1
    (access, writeFunction) = Self.access(table, content, &reader)
    if let address, address + content.count > ModbusLimits.addresses {
      reader.error(
        at: table.rawValue,
        "\(reader.path) takes \(content.count) registers from \(address) on, beyond the last one, \(ModbusLimits.addresses - 1)"
      )
    }
    if access == .write, reader.has("every") {
      reader.error(at: "every", "\(reader.path(of: "every")) does not belong here: with access: write nothing is read")
    }
    guard reader.finish(hints: Self.hints), let address else { return nil }
    self.name = name
    self.table = table
    self.address = address
    self.content = content
    self.order = order
  }

  // MARK: Address

  private static func address(_ table: ModbusTable, _ reader: inout MappingReader) -> Int? {
    let key = table.rawValue
    guard let node = reader.node(key) else { return nil }
    let number: Int? = node.integer()
    guard let number, (0..<ModbusLimits.addresses).contains(number) else {
      var expected = "an address from 0 to \(ModbusLimits.addresses - 1) as it is on the wire"
      if let number, let meant = entry(number, of: table, 100_000) {
        expected += ": a manual's \(number) is \(key): \(meant)"
      }
      reader.mismatch(key, expected: expected)
      return nil
    }
    if node.text?.hasPrefix("0x") == false, let meant = entry(number, of: table, 10_000) {
      reader.warning(
        at: key,
        "\(reader.path(of: key)) is \(number), which in a manual mostly is the address \(meant) on the wire; write \(meant), "
          + "or 0x\(String(number, radix: 16)) if it is meant as it stands")
    }
    return number
  }

  /// The address that a manual's number stands for, if it looks like one; `size`, such as 10000, is where its digit stands.
  private static func entry(_ number: Int, of table: ModbusTable, _ size: Int) -> Int? {
    guard table.digit > 0, number > 0 else { return nil }
    let address = number - table.digit * size - 1
    return (0..<min(size - 1, ModbusLimits.addresses)).contains(address) ? address : nil
  }

  // MARK: Content

  private static func truth(_ table: ModbusTable, _ reader: inout MappingReader) -> RegisterContent? {
    refuse(
      ["bit", "bits", "byte", "length", "word_order", "byte_order", "scale", "offset", "invalid"],
      "a \(table.rawValue) is one bit", &reader)
    if let type = reader.node("type"), type.text != RegisterType.bit.rawValue {
      reader.mismatch("type", expected: "bit, or nothing: a \(table.rawValue) is one bit")
    }
    return .truth(bit: nil)
  }

  private static func content(_ reader: inout MappingReader) -> RegisterContent? {
    let type = reader.word("type", of: RegisterType.self)
    if reader.has("bit") || type == .bit {
      refuse(["bits", "byte", "length", "scale", "offset", "invalid"], "bit makes it true or false", &reader)
      if let type, type != .bit {
        reader.error(at: "type", "\(reader.path(of: "type")) does not belong here: bit makes it true or false")
      }
      guard reader.has("bit") else {
        reader.error(
          at: "type", "\(reader.path) has no \"bit\", which type: bit needs in a register: bit: 0 is the lowest")
        return nil
      }
      return reader.integer("bit", in: 0...15).map { .truth(bit: $0) }
    }
    if reader.has("bits") {
      refuse(["byte", "length"], "bits says what is taken", &reader)
      if let type, type != .uint16 {
        reader.error(at: "type", "\(reader.path(of: "type")) does not belong here: bits are an unsigned number")
      }
      return bits(&reader)
    }
    if type != .string { refuse(["length"], "only type: string has one", &reader) }
    if type != .int8, type != .uint8 { refuse(["byte"], "only type: int8 and uint8 have one", &reader) }
    switch type ?? .uint16 {
    case .bit: return nil
    case .int8, .uint8:
      let isHigh = reader.word("byte", of: ["low": false, "high": true]) ?? false
      return .byte(isHigh: isHigh, isSigned: type == .int8)
    case .int16: return .integer(bits: 16, isSigned: true)
    case .uint16: return reader.has("type") && type == nil ? nil : .integer(bits: 16, isSigned: false)
    case .int32: return .integer(bits: 32, isSigned: true)
    case .uint32: return .integer(bits: 32, isSigned: false)
    case .int64: return .integer(bits: 64, isSigned: true)
    case .uint64: return .integer(bits: 64, isSigned: false)
    case .float16: return .float(bits: 16)
    case .float32: return .float(bits: 32)
    case .float64: return .float(bits: 64)
    case .string:
      refuse(["scale", "offset", "enum", "invalid", "word_order"], "it is text", &reader)
      reader.require("length")
      return reader.integer("length", in: 1...ModbusLimits.registersRead).map { .text(registers: $0) }
    }
  }

  /// `bits: 4..7`, both ends included.
  private static func bits(_ reader: inout MappingReader) -> RegisterContent? {
    guard let node = reader.node("bits") else { return nil }
    let ends = (node.text ?? "").split(separator: ".", omittingEmptySubsequences: false)
    if ends.count == 3, ends[1].isEmpty, let low = Int(ends[0]), let high = Int(ends[2]), 0 <= low, low <= high,
      high <= 15
    {
      return .bits(low: low, width: high - low + 1)
    }
    reader.mismatch("bits", expected: "the lowest and the highest bit of the register, from 0 to 15, such as 4..7")
    return nil
  }

  private static func refuse(_ keys: [String], _ reason: String, _ reader: inout MappingReader) {
    for key in keys where reader.has(key) {
      reader.error(at: key, "\(reader.path(of: key)) does not belong here: \(reason)")
    }
  }

  // MARK: Meaning

  private static func scale(_ content: RegisterContent, _ reader: inout MappingReader) -> LinearScale? {
    guard content.patternBits ?? 1 > 1, reader.has("scale") || reader.has("offset") else { return nil }
    let scale = reader.double("scale")
    let offset = reader.double("offset")
    if scale == 0 { reader.mismatch("scale", expected: "a number other than 0") }
    return LinearScale(scale: scale ?? 1, offset: offset ?? 0)
  }

  private static func labels(
    _ content: RegisterContent, hasScale: Bool, _ reader: inout MappingReader
  ) -> [Label] {
    guard reader.has("enum"), content.patternBits != nil else { return [] }
    if hasScale { refuse(["enum"], "a name for a number and a scale exclude each other", &reader) }
    guard let range = content.integers else {
      refuse(["enum"], "only whole numbers have names", &reader)
      return []
    }
    var labels: [Label] = []
    var names: Set<String> = []
    for entry in reader.namedEntries("enum", atMost: labelLimit) where entry.value.value != .invalid {
      guard let number: Int64 = entry.key.integer(), range.contains(number) else {
        reader.diagnostics.error(
          at: entry.key,
          "\(reader.path(of: "enum")) has \(quoted(entry.name)); expected numbers from \(range.lowerBound) to "
            + "\(range.upperBound), each with its name")
        continue
      }
      guard let label = entry.value.text, !entry.value.isNull else {
        reader.diagnostics.error(at: entry.value, "\(entry.path) is \(entry.value.described()); expected a name")
        continue
      }
      if !names.insert(label).inserted {
        reader.diagnostics.error(
          at: entry.value,
          "\(entry.path) is \(quoted(label)), which another number is called; a command could not tell them")
      }
      labels.append(Label(number: number, label: label))
    }
    return labels
  }

  /// `invalid: 0x8000`, or a list: numbers as they are read, or their bits.
  private static func invalid(_ content: RegisterContent, _ reader: inout MappingReader) -> Set<UInt64> {
    guard let bits = content.patternBits, bits > 1, let node = reader.node("invalid") else { return [] }
    let items = if case .sequence(let items) = node.value { items } else { [node] }
    let greatest = UInt64.max >> UInt64(clamping: 64 - bits)
    let least = bits == 64 ? Int64.min : -(Int64(1) << Int64(bits - 1))
    var patterns: Set<UInt64> = []
    for item in items.prefix(invalidLimit) where item.value != .invalid {
      if let pattern: UInt64 = item.integer(), pattern <= greatest {
        patterns.insert(pattern)
      } else if let number: Int64 = item.integer(), number < 0, number >= least {
        patterns.insert(UInt64(bitPattern: number) & greatest)
      } else {
        reader.diagnostics.error(
          at: item,
          "\(reader.path(of: "invalid")) is \(item.described()); expected the number that means \"no value\", or its \(bits) "
            + "bits such as 0x8000, or a list of them")
      }
    }
    if items.count > invalidLimit {
      reader.error(
        at: "invalid", "\(reader.path(of: "invalid")) has \(items.count) items; at most \(invalidLimit) are possible")
    }
    return patterns
  }

  private static func unit(_ reader: inout MappingReader) -> String? {
    guard let unit = reader.nonEmptyString("units") else { return nil }
    if unit.unicodeScalars.count <= longestUnit { return unit }
    reader.mismatch("units", expected: "a unit such as °C, at most \(longestUnit) characters")
    return nil
  }

  // MARK: Access

  private static func access(
    _ table: ModbusTable, _ content: RegisterContent, _ reader: inout MappingReader
  ) -> (Access, UInt8) {
    let functions = table.isWritable ? writeFunctions(of: content, in: table) : []
    let word = reader.word("access", of: Access.self)
    let access = word ?? (functions.isEmpty ? .read : .readWrite)
    if functions.isEmpty {
      let reason =
        table.isWritable
        ? "no request writes \(content.count) registers" : "\(table.rawValue) is a table that is only read"
      refuse(["write"], reason, &reader)
      if access != .read { refuse(["access"], reason, &reader) }
      return (.read, 0)
    }
    if access == .read { refuse(["write"], "access: read forbids it", &reader) }
    guard reader.node("write") != nil else { return (access, functions[0]) }
    let number: Int? = reader.node("write")?.integer()
    if let function = functions.first(where: { Int($0) == number }) { return (access, function) }
    reader.mismatch("write", expected: "the function that writes it: \(listed(functions.map { "\($0)" }, or: true))")
    return (access, functions[0])
  }

  /// The functions that can write it, the usual one first.
  private static func writeFunctions(of content: RegisterContent, in table: ModbusTable) -> [UInt8] {
    if table.hasBits { return [5, 15] }
    if content.isPart { return [6, 16, 22] }
    switch content.count {
    case 1: return [6, 16, 22, 23]
    case ...ModbusLimits.registersWrittenAndRead: return [16, 23]
    case ...ModbusLimits.registersWritten: return [16]
    default: return []
    }
  }
}
