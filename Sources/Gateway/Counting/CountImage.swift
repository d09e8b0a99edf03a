internal import CKernel
internal import Glibc

/// All counters at one moment, as one of the card's two slots holds them.
///
/// ```
///  0 magic   4 "\xB4BGN"               16 generation 8  the slot with the higher one counts
///  4 version 1 1                       24 records    4
///  5 flags   1 1: written by a clean stop 28 zero   36
///  6 zero    2                         64 records, 128 bytes each
///  8 CRC-32C 4 over 0..<8 and 12..<end of the records
/// 12 zero    4
/// Little-endian.
/// ```
struct CountImage: Sendable, Equatable {
  static let magic: UInt32 = 0x4E47_42B4
  static let version: UInt8 = 1
  static let headSize = 64
  /// As many as there can be lines.
  static let recordLimit = 256
  /// Whole blocks, so that a torn write never touches the other slot.
  static let slotSize = 36_864

  var generation: UInt64
  /// Whether a stop in order wrote it, so that no pulse came after it.
  var isClean: Bool
  var records: [CountRecord]

  var bytes: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Self.headSize)
    let records = records.prefix(Self.recordLimit)
    for record in records { bytes += record.bytes }
    bytes.withUnsafeMutableBytes { raw in
      raw.storeBytes(of: Self.magic.littleEndian, toByteOffset: 0, as: UInt32.self)
      raw[4] = Self.version
      raw[5] = isClean ? 1 : 0
      raw.storeBytes(of: generation.littleEndian, toByteOffset: 16, as: UInt64.self)
      raw.storeBytes(of: UInt32(records.count).littleEndian, toByteOffset: 24, as: UInt32.self)
      raw.storeBytes(of: Self.checksum(UnsafeRawBufferPointer(raw)).littleEndian, toByteOffset: 8, as: UInt32.self)
    }
    return bytes
  }

  /// - Parameter slot: What stands in a slot, up to the whole of it.
  /// - Returns: `nil` for what is not whole.
  init?(_ slot: ArraySlice<UInt8>) {
    guard slot.count >= Self.headSize else { return nil }
    let head = slot.withUnsafeBytes { raw -> (generation: UInt64, isClean: Bool, count: Int)? in
      func word(_ place: Int) -> UInt32 {
        UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt32.self))
      }
      let count = word(24)
      guard word(0) == Self.magic, raw[4] == Self.version, count <= UInt32(Self.recordLimit) else { return nil }
      let size = Self.headSize + Int(count) * CountRecord.size
      guard size <= raw.count, word(8) == Self.checksum(UnsafeRawBufferPointer(rebasing: raw[..<size])) else {
        return nil
      }
      let generation = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
      return (generation, raw[5] & 1 == 1, Int(count))
    }
    guard let head else { return nil }
    var records: [CountRecord] = []
    for index in 0..<head.count {
      let start = slot.startIndex + Self.headSize + index * CountRecord.size
      guard let record = CountRecord(slot[start..<start + CountRecord.size]) else { return nil }
      records.append(record)
    }
    self.init(generation: head.generation, isClean: head.isClean, records: records)
  }

  init(generation: UInt64, isClean: Bool, records: [CountRecord]) {
    self.generation = generation
    self.isClean = isClean
    self.records = records
  }

  private static func checksum(_ image: UnsafeRawBufferPointer) -> UInt32 {
    guard let start = image.baseAddress, image.count >= headSize else { return 0 }
    return bg_crc32c(bg_crc32c(0, start, 8), start + 12, image.count - 12)
  }
}
