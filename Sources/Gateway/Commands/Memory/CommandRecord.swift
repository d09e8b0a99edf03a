internal import CKernel
internal import Glibc

/// One step of a command with lasting effect, as the file `commands` keeps it.
///
/// ```
///  0 magic    4  "\xB4BGK"                     16 id           8, signed
///  4 version  1  1                             24 fingerprint  8
///  5 kind     1  0 head, 1 started,            32 payload      the reply's JSON (finished), else none
///                2 finished, 3 closed
///  6 zero     2
///  8 length   4  of the payload
/// 12 CRC-32C  4  over bytes 0..<12 and 16..<32+length
/// ```
/// Numbers are little-endian. The file begins with a head; zeros follow its last record.
struct CommandRecord: Equatable, Sendable {
  enum Kind: UInt8, Sendable {
    case head = 0
    /// Written and synced before the command runs.
    case started
    /// Written and synced before the reply is posted.
    case finished
    /// The server has the reply, or cannot ask for it any more.
    case closed
  }

  static let magic: UInt32 = 0x4B47_42B4
  static let version: UInt8 = 1
  static let headerSize = 32

  var kind: Kind
  var key: CommandKey
  var payload: [UInt8] = []

  static let head = CommandRecord(kind: .head, key: CommandKey(id: 0, fingerprint: 0))

  var size: Int { Self.headerSize + payload.count }

  func append(to buffer: inout [UInt8]) {
    let start = buffer.count
    buffer.reserveCapacity(start + size)
    buffer.append(contentsOf: repeatElement(0, count: Self.headerSize))
    buffer.append(contentsOf: payload)
    buffer.withUnsafeMutableBytes { raw in
      let record = UnsafeMutableRawBufferPointer(rebasing: raw[start...])
      record.storeBytes(of: Self.magic.littleEndian, toByteOffset: 0, as: UInt32.self)
      record[4] = Self.version
      record[5] = kind.rawValue
      record.storeBytes(of: UInt32(payload.count).littleEndian, toByteOffset: 8, as: UInt32.self)
      record.storeBytes(of: key.id.littleEndian, toByteOffset: 16, as: Int64.self)
      record.storeBytes(of: key.fingerprint.littleEndian, toByteOffset: 24, as: UInt64.self)
      let checksum = Self.checksum(UnsafeRawBufferPointer(record))
      record.storeBytes(of: checksum.littleEndian, toByteOffset: 12, as: UInt32.self)
    }
  }

  enum Decoded: Equatable {
    case record(CommandRecord)
    case newerVersion
    case damaged
  }

  /// What stands at the start of `bytes`.
  static func decode(_ bytes: UnsafeRawBufferPointer) -> Decoded {
    guard bytes.count >= headerSize, bytes.number(at: 0, UInt32.self) == magic else { return .damaged }
    guard bytes[4] == version else { return bytes[4] > version ? .newerVersion : .damaged }
    let length = Int(bytes.number(at: 8, UInt32.self))
    guard let kind = Kind(rawValue: bytes[5]), length <= CommandMemory.replySizeLimit,
      headerSize + length <= bytes.count
    else { return .damaged }
    let record = UnsafeRawBufferPointer(rebasing: bytes[..<(headerSize + length)])
    guard record.number(at: 12, UInt32.self) == checksum(record) else { return .damaged }
    let key = CommandKey(id: record.number(at: 16, Int64.self), fingerprint: record.number(at: 24, UInt64.self))
    return .record(CommandRecord(kind: kind, key: key, payload: Array(record[headerSize...])))
  }

  /// Over a whole record but its CRC field.
  private static func checksum(_ record: UnsafeRawBufferPointer) -> UInt32 {
    guard let base = record.baseAddress, record.count >= headerSize else { return 0 }
    return bg_crc32c(bg_crc32c(0, base, 12), base + 16, record.count - 16)
  }
}

extension UnsafeRawBufferPointer {
  /// The little-endian number at `offset`, which the caller has checked to lie within.
  fileprivate func number<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int, _: Number.Type) -> Number {
    Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
  }
}

/// What a file's bytes hold.
struct CommandScan: Equatable {
  enum Condition: Equatable {
    /// Records, then zeros.
    case clean
    /// The last record was cut by a crash; ordinary.
    case torn
    /// Something between records is none, or the head is missing.
    case damaged
    /// Written by a newer Baudgate.
    case newerVersion
  }

  /// All that can be read, also behind damage: each keeps a command from running twice.
  private(set) var records: [CommandRecord] = []
  /// Behind the last record.
  private(set) var end = 0
  private(set) var condition = Condition.clean

  init(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { scan($0) }
    if records.first != .head, condition != .newerVersion { condition = .damaged }
    records.removeAll { $0.kind == .head }
  }

  private mutating func scan(_ bytes: UnsafeRawBufferPointer) {
    var position = 0
    while position < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
      switch CommandRecord.decode(rest) {
      case .record(let record):
        // What could not be read on the way here was no tail.
        if condition == .torn { condition = .damaged }
        records.append(record)
        position += record.size
        end = position
      case .newerVersion where position == 0:
        condition = .newerVersion
        return
      case .newerVersion, .damaged:
        if rest.isZero { return }
        if condition == .clean { condition = .torn }
        guard let next = Self.nextMagic(in: rest) else { return }
        position += next
      }
    }
  }

  /// Where a record may begin behind the first byte.
  private static func nextMagic(in bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count > 1, let base = bytes.baseAddress,
      let found = memchr(base + 1, CInt(CommandRecord.magic & 0xFF), bytes.count - 1)
    else { return nil }
    return UnsafeRawPointer(found) - base
  }
}

extension UnsafeRawBufferPointer {
  /// Each byte equals the next one, and the first is zero.
  fileprivate var isZero: Bool {
    guard let base = baseAddress, count > 0 else { return true }
    return self[0] == 0 && memcmp(base, base + 1, count - 1) == 0
  }
}
