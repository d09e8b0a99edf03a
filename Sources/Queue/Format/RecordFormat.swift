internal import CKernel

/// A record's bytes, the same in tmpfs and on the card; `docs/queue.md` has the table.
///
/// ```
///  0 magic    4  "\xB4BGQ"      16 sequence  8
///  4 version  1  1              24 timestamp 8  ms since 1970, signed
///  5 kind     1  1 telemetry    32 boottime  8  ms since boot, signed
///  6 zero     2                 40 boot id  16
///  8 length   4  of the payload 56 payload
/// 12 CRC-32C  4  over bytes 0..<12 and 16..<56+length
/// ```
/// Numbers are little-endian whatever the machine.
enum RecordFormat {
  static let magic: UInt32 = 0x5147_42B4
  static let version: UInt8 = 1
  static let headerSize = 56
  /// 1 MiB: a longer length is damage, so that a flipped bit makes nobody allocate.
  static let maximumPayload = 1 << 20
  /// Sequences beyond it are damage: nobody writes that many, and one more never overflows.
  static let maximumSequence: UInt64 = 1 << 62

  private static let emptyHeader = [UInt8](repeating: 0, count: headerSize)

  enum Kind: UInt8, Sendable {
    case telemetry = 1
  }

  /// Appends the record's bytes to `buffer`. The payload is within `maximumPayload`.
  static func append(
    timestamp: Int64, boottime: Int64, payload: [UInt8], sequence: UInt64, bootID: BootID,
    to buffer: inout [UInt8]
  ) {
    let start = buffer.count
    buffer += emptyHeader
    buffer.append(contentsOf: payload)
    buffer.withUnsafeMutableBytes { raw in
      let record = UnsafeMutableRawBufferPointer(rebasing: raw[start...])
      record.storeBytes(of: magic.littleEndian, toByteOffset: 0, as: UInt32.self)
      record[4] = version
      record[5] = Kind.telemetry.rawValue
      record.storeBytes(of: UInt32(payload.count).littleEndian, toByteOffset: 8, as: UInt32.self)
      record.storeBytes(of: sequence.littleEndian, toByteOffset: 16, as: UInt64.self)
      record.storeBytes(of: timestamp.littleEndian, toByteOffset: 24, as: Int64.self)
      record.storeBytes(of: boottime.littleEndian, toByteOffset: 32, as: Int64.self)
      record.storeBytes(of: bootID.high.littleEndian, toByteOffset: 40, as: UInt64.self)
      record.storeBytes(of: bootID.low.littleEndian, toByteOffset: 48, as: UInt64.self)
      record.storeBytes(
        of: checksum(UnsafeRawBufferPointer(record)).littleEndian, toByteOffset: 12, as: UInt32.self)
    }
  }

  /// CRC-32C over a whole record but its CRC field.
  static func checksum(_ record: UnsafeRawBufferPointer) -> UInt32 {
    guard let base = record.baseAddress, record.count >= headerSize else { return 0 }
    return bg_crc32c(bg_crc32c(0, base, 12), base + 16, record.count - 16)
  }

  /// What stands at the start of `bytes`.
  static func decode(_ bytes: UnsafeRawBufferPointer) -> Decoded {
    guard bytes.count >= headerSize else {
      return startsLikeRecord(bytes) ? .incomplete(needed: headerSize) : .damaged
    }
    guard bytes.loadLittleEndian(0, as: UInt32.self) == magic else { return .damaged }
    guard bytes[4] == version else { return bytes[4] > version ? .newerVersion(bytes[4]) : .damaged }
    let length = Int(bytes.loadLittleEndian(8, as: UInt32.self))
    let header = RecordHeader(
      length: length, sequence: bytes.loadLittleEndian(16, as: UInt64.self),
      timestamp: bytes.loadLittleEndian(24, as: Int64.self), boottime: bytes.loadLittleEndian(32, as: Int64.self),
      bootID: BootID(
        high: bytes.loadLittleEndian(40, as: UInt64.self), low: bytes.loadLittleEndian(48, as: UInt64.self)))
    guard Kind(rawValue: bytes[5]) != nil, length <= maximumPayload, header.sequence <= maximumSequence,
      header.sequence > 0
    else { return .damaged }
    guard bytes.count >= header.size else { return .incomplete(needed: header.size) }
    let stored = bytes.loadLittleEndian(12, as: UInt32.self)
    let record = UnsafeRawBufferPointer(rebasing: bytes[..<header.size])
    return checksum(record) == stored ? .record(header) : .damaged
  }

  /// Whether the few bytes could be where a record was cut.
  private static func startsLikeRecord(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.enumerated().prefix(4).allSatisfy { index, byte in byte == UInt8(truncatingIfNeeded: magic >> (8 * index)) }
  }

  enum Decoded: Equatable {
    case record(RecordHeader)
    /// So far it may be one, but it takes `needed` bytes.
    case incomplete(needed: Int)
    case newerVersion(UInt8)
    case damaged
  }
}

/// A record's fields but its payload.
struct RecordHeader: Equatable, Sendable {
  var length: Int
  var sequence: UInt64
  var timestamp: Int64
  var boottime: Int64
  var bootID: BootID

  /// Of the whole record.
  var size: Int { RecordFormat.headerSize + length }
}

extension UnsafeRawBufferPointer {
  /// The number at `offset`, which the caller has checked to lie within.
  func loadLittleEndian<Number: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as: Number.Type) -> Number {
    Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
  }
}
