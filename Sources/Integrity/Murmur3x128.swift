/// MurmurHash3, 128 bits for 64-bit machines, seed 0.
///
/// Source: Austin Appleby's MurmurHash3.cpp (public domain), MurmurHash3_x64_128.
struct Murmur3x128 {
  private static let blockSize = 16
  private var first: UInt64 = 0
  private var second: UInt64 = 0
  private var count: UInt64 = 0
  private var blocks = BlockBuffer(size: blockSize)

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    count &+= UInt64(bytes.count)
    var (first, second) = (first, second)
    blocks.take(bytes) { block in
      first ^= Self.mixFirst(UInt64(littleEndian: block.loadUnaligned(as: UInt64.self)))
      first = (Self.rotated(first, 27) &+ second) &* 5 &+ 0x52dc_e729
      second ^= Self.mixSecond(UInt64(littleEndian: block.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
      second = (Self.rotated(second, 31) &+ first) &* 5 &+ 0x3849_5ab5
    }
    (self.first, self.second) = (first, second)
  }

  func finish() -> (UInt64, UInt64) {
    var (first, second) = (first, second)
    let rest = blocks.rest
    if rest.count > 8 { second ^= Self.mixSecond(Self.number(rest.dropFirst(8))) }
    if !rest.isEmpty { first ^= Self.mixFirst(Self.number(rest.prefix(8))) }
    first ^= count
    second ^= count
    first &+= second
    second &+= first
    first = Self.avalanche(first)
    second = Self.avalanche(second)
    first &+= second
    second &+= first
    return (first, second)
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func mixFirst(_ block: UInt64) -> UInt64 {
    rotated(block &* 0x87c3_7b91_1142_53d5, 31) &* 0x4cf5_ad43_2745_937f
  }

  private static func mixSecond(_ block: UInt64) -> UInt64 {
    rotated(block &* 0x4cf5_ad43_2745_937f, 33) &* 0x87c3_7b91_1142_53d5
  }

  private static func avalanche(_ value: UInt64) -> UInt64 {
    var value = (value ^ value >> 33) &* 0xff51_afd7_ed55_8ccd
    value = (value ^ value >> 33) &* 0xc4ce_b9fe_1a85_ec53
    return value ^ value >> 33
  }

  private static func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 { value << bits | value >> (64 - bits) }
}
