/// MurmurHash3, 32 bits, seed 0.
///
/// Source: Austin Appleby's MurmurHash3.cpp (public domain), MurmurHash3_x86_32.
struct Murmur3x32 {
  private static let blockSize = 4
  private var hash: UInt32 = 0
  private var count: UInt64 = 0
  private var blocks = BlockBuffer(size: blockSize)

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    count &+= UInt64(bytes.count)
    var hash = hash
    blocks.take(bytes) { block in
      hash ^= Self.mix(UInt32(littleEndian: block.loadUnaligned(as: UInt32.self)))
      hash = (hash << 13 | hash >> 19) &* 5 &+ 0xe654_6b64
    }
    self.hash = hash
  }

  func finish() -> UInt32 {
    var hash = hash
    let tail = blocks.rest.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    if !blocks.rest.isEmpty { hash ^= Self.mix(tail) }
    hash ^= UInt32(truncatingIfNeeded: count)
    hash = (hash ^ hash >> 16) &* 0x85eb_ca6b
    hash = (hash ^ hash >> 13) &* 0xc2b2_ae35
    return hash ^ hash >> 16
  }

  private static func mix(_ block: UInt32) -> UInt32 {
    let product = block &* 0xcc9e_2d51
    return (product << 15 | product >> 17) &* 0x1b87_3593
  }
}
