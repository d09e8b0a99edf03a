internal import CZlib

/// A checksum of bytes that come piece by piece, printed as Guava's `HashCode.toString()` does: lower-case hex, and what
/// is a number (CRC-32, Murmur3) with its least significant byte first.
///
/// Source: contract.md §8.
public struct Checksum: ~Copyable {
  private enum State {
    case digest(MessageDigest)
    case crc32(UInt)
    case murmur32(Murmur3x32)
    case murmur128(Murmur3x128)
  }

  private var state: State

  /// - Throws: `PackageFault` where OpenSSL refuses the algorithm: MD5 under FIPS.
  public init(_ algorithm: ChecksumAlgorithm) throws(PackageFault) {
    state =
      switch algorithm {
      case .md5, .sha256, .sha384, .sha512: .digest(try MessageDigest(algorithm))
      case .crc32: .crc32(0)
      case .murmur3_32: .murmur32(Murmur3x32())
      case .murmur3_128: .murmur128(Murmur3x128())
      }
  }

  /// Takes the next bytes; how they are cut makes no difference.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    switch state {
    case .digest(let digest): digest.update(bytes)
    case .crc32(let sum):
      let start = bytes.bindMemory(to: UInt8.self).baseAddress
      // Without an address zlib would answer its initial value.
      if start != nil { state = .crc32(crc32_z(sum, start, bytes.count)) }
    case .murmur32(var murmur):
      murmur.update(bytes)
      state = .murmur32(murmur)
    case .murmur128(var murmur):
      murmur.update(bytes)
      state = .murmur128(murmur)
    }
  }

  public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

  /// The checksum of all bytes taken.
  public consuming func finish() -> String {
    switch state {
    case .digest(let digest): hex(digest.finish())
    case .crc32(let sum): hex(littleEndian(UInt32(truncatingIfNeeded: sum)))
    case .murmur32(let murmur): hex(littleEndian(murmur.finish()))
    case .murmur128(let murmur):
      hex(littleEndian(murmur.finish().0) + littleEndian(murmur.finish().1))
    }
  }
}

func littleEndian(_ number: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: number.littleEndian) { Array($0) }
}

func hex(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
