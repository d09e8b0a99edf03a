internal import CKernel
internal import Glibc

/// One counter's memory, as it stands in files.
///
/// ```
///  0 CRC-32C    4  over 4..<128        8 stamp       8
///  4 version    1  1                  16 pulses      8
///  5 name's length 1                  24 missed      8
///  6 flags      1  1: there is a base 32 base        8  a double's bits
///  7 zero       1                     40 base pulses 8
/// 48 zero      16                     64 name       64  UTF-8, zeros behind it
/// Little-endian.
/// ```
struct CountRecord: Sendable, Equatable {
  static let size = 128
  static let version: UInt8 = 1
  /// Of a name; names of lines are no longer.
  static let nameLimit = 64

  /// As the configuration names the line.
  var name: String
  /// All pulses ever.
  var pulses: UInt64 = 0
  /// Those of them the kernel had no room for: found by the gap they left.
  var missed: UInt64 = 0
  /// `initial_total`, as it was taken over from the file; `nil` without one.
  var base: Double?
  /// The count it was taken over at.
  var basePulses: UInt64 = 0
  /// Goes up with each change: of two copies the higher one is newer.
  var stamp: UInt64 = 0

  init(name: String) { self.name = name }
}

extension CountRecord {
  var bytes: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Self.size)
    let name = Array(name.utf8.prefix(Self.nameLimit))
    bytes.withUnsafeMutableBytes { raw in
      raw[4] = Self.version
      raw[5] = UInt8(name.count)
      raw[6] = base == nil ? 0 : 1
      raw.storeBytes(of: stamp.littleEndian, toByteOffset: 8, as: UInt64.self)
      raw.storeBytes(of: pulses.littleEndian, toByteOffset: 16, as: UInt64.self)
      raw.storeBytes(of: missed.littleEndian, toByteOffset: 24, as: UInt64.self)
      raw.storeBytes(of: (base ?? 0).bitPattern.littleEndian, toByteOffset: 32, as: UInt64.self)
      raw.storeBytes(of: basePulses.littleEndian, toByteOffset: 40, as: UInt64.self)
      UnsafeMutableRawBufferPointer(rebasing: raw[64...]).copyBytes(from: name)
      raw.storeBytes(of: Self.checksum(UnsafeRawBufferPointer(raw)).littleEndian, toByteOffset: 0, as: UInt32.self)
    }
    return bytes
  }

  /// - Returns: `nil` for what is no whole record of this version.
  init?(_ bytes: ArraySlice<UInt8>) {
    guard bytes.count == Self.size else { return nil }
    let found = bytes.withUnsafeBytes { raw -> CountRecord? in
      func number(_ place: Int) -> UInt64 {
        UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      }
      let checksum = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
      guard checksum == Self.checksum(raw), raw[4] == Self.version, (1...Self.nameLimit).contains(Int(raw[5])) else {
        return nil
      }
      var record = CountRecord(name: String(decoding: raw[64..<64 + Int(raw[5])], as: UTF8.self))
      (record.stamp, record.pulses, record.missed) = (number(8), number(16), number(24))
      if raw[6] & 1 == 1 { record.base = Double(bitPattern: number(32)) }
      record.basePulses = number(40)
      return record
    }
    guard let found, found.base?.isFinite ?? true else { return nil }
    self = found
  }

  private static func checksum(_ record: UnsafeRawBufferPointer) -> UInt32 {
    guard let start = record.baseAddress, record.count == size else { return 0 }
    return bg_crc32c(0, start + 4, size - 4)
  }
}
