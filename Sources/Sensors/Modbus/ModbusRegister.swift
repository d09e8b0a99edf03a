internal import Telemetry
internal import YAML

/// One entry of `registers:`, checked: every value in it is legal.
struct ModbusRegister: Sendable, Hashable {
  /// What commands may do with it.
  enum Access: String, Sendable, Hashable, CaseIterable {
    case read
    case write
    case readWrite = "read_write"
  }

  /// A name for a number.
  struct Label: Sendable, Hashable {
    let number: Int64
    let label: String
  }

  let name: String
  let table: ModbusTable
  let address: Int
  let content: RegisterContent
  var order = RegisterOrder()
  /// Makes a DOUBLE of it.
  var scale: LinearScale?
  /// `enum`, which makes a STRING of it.
  var labels: [Label] = []
  /// Patterns that mean "no value".
  var invalid: Set<UInt64> = []
  var unit: String?
  var access = Access.read
  /// The function that writes it.
  var writeFunction: UInt8 = 6
  /// It is read in each n-th cycle; 0: by commands alone.
  var every = 1

  /// The addresses it takes.
  var range: Range<Int> { address..<address + content.count }
  var isReadable: Bool { access != .write }
  var isWritable: Bool { access != .read }
  var isPolled: Bool { isReadable && every > 0 }
  /// `input 30`, as messages call its place.
  var place: String { "\(table.rawValue) \(address)" }

  /// What reads it alone.
  var readRequest: ModbusRequest {
    .read(table, address: UInt16(clamping: address), count: content.count)
  }

  /// Its value in an answer to a request that began at `start`; `nil` where the unit has none.
  func value(in answer: ModbusAnswer, from start: Int) throws(RegisterMismatch) -> Value? {
    let first = address - start
    switch answer {
    case .bits(let bits) where bits.indices.contains(first): return try value(ofBit: bits[first])
    case .words(let words) where first >= 0 && first + content.count <= words.count:
      return try value(of: words[first..<first + content.count])
    default: throw RegisterMismatch(.mismatch, "is not in the answer")
    }
  }
}

/// A Modbus sensor's own options.
struct ModbusSettings: PolledSettings {
  let framing: ModbusFraming
  /// 0 is everybody: what is written there nobody confirms, and nothing is read.
  let unit: UInt8
  /// Those of the map that were picked, then the sensor's own, in the order of the files.
  let registers: [ModbusRegister]
  /// The most addresses between two registers that are read with them.
  let maxGap: Int
  /// The most registers of one request.
  let maxRegisters: Int
  /// Whether the line gives back what we send.
  let hasEcho: Bool
  let timeout: Duration?

  /// The most registers of one sensor, its map's included.
  static let registerLimit = 512

  var isBroadcast: Bool { unit == 0 }
  var polled: [ModbusRegister] { isBroadcast ? [] : registers.filter(\.isPolled) }
  var valueNames: [String]? { polled.map(\.name) }
  var registerNames: [String] { registers.map(\.name) }
  var units: [String: String] {
    var units: [String: String] = [:]
    for register in polled { units[register.name] = register.unit }
    return units
  }

  func request(_ request: ModbusRequest) -> BusRequest {
    framing.request(request, unit: unit, hasEcho: hasEcho)
  }

  // MARK: Commands

  private func register(_ name: String) throws(RegisterError) -> ModbusRegister {
    if let register = registers.first(where: { $0.name == name }) { return register }
    let near = nearestWord(to: name, among: registerNames).map { "did you mean \($0)?" }
    throw RegisterError(
      .noSuchRegister, "no register is called \(quoted(name)); \(near ?? "there are \(listed(registerNames))")")
  }

  func reading(_ name: String) throws(RegisterError) -> any RegisterExchange {
    let register = try register(name)
    guard !isBroadcast else {
      throw RegisterError(.notReadable, "\(name) belongs to unit 0, everybody: nobody answers")
    }
    guard register.isReadable else { throw RegisterError(.notReadable, "\(name) has access: write") }
    return ModbusReading(register, settings: self)
  }

  func writing(_ name: String, _ value: JSON) throws(RegisterError) -> any RegisterExchange {
    let register = try register(name)
    guard register.isWritable else {
      throw RegisterError(
        .notWritable,
        register.table.isWritable
          ? "\(name) has access: read" : "\(name) is \(register.place), a table that cannot be written")
    }
    return try ModbusWriting(register, value, settings: self)
  }
}
