internal import CKernel
internal import EventLoop
internal import Glibc

/// What a cursor file tells: what the server has, and how far numbers and timestamps had come.
struct Cursor: Equatable, Sendable {
  /// Every record up to here is acknowledged, or was dropped for want of room.
  var acknowledged: UInt64 = 0
  /// The first sequence this speaks of: 0, unless the card could not be read when it was begun; of what is on the
  /// card below it the card's own cursor tells.
  var base: UInt64 = 0
  /// The newest timestamp appended so far, ms since 1970; 0 when there was none.
  var newestTimestamp: Int64 = 0
}

/// A cursor in two slots that are written in turn, in place, so that a torn write leaves the one before it.
///
/// ```
///  0 magic      4 "\xB4BGC"   16 counter      8  the slot with the higher one counts
///  4 version    1 1           24 acknowledged 8
///  5 zero       3             32 newest timestamp 8, ms since 1970, signed
///  8 CRC-32C    4             40 base         8
/// 12 zero       4             the CRC-32C is over 0..<8 and 12..<48
/// ```
struct CursorFile: Sendable {
  static let magic: UInt32 = 0x4347_42B4
  static let version: UInt8 = 1
  static let slotSize = 48
  /// Slots on the card lie in blocks of their own: a block is what a power cut tears.
  static let cardStride = 4096
  static let hotStride = 64

  let path: String
  let stride: Int
  private var counter: UInt64 = 0
  private var file: CInt = -1
  private var isUnreadable = false
  /// Whether the directory was synced since this file was opened first.
  private var isEntryDurable = false

  init(path: String, stride: Int) {
    self.path = path
    self.stride = stride
  }

  /// Reads the newer slot that is whole.
  ///
  /// - Returns: `nil` when there is none: the file is missing, empty or damaged.
  /// - Throws: `SystemError` when the file is there and cannot be read.
  mutating func load(_ fileSystem: any FileSystem) throws(SystemError) -> Cursor? {
    let bytes: [UInt8]
    do {
      let file = try fileSystem.open(path, .read)
      defer { fileSystem.close(file) }
      bytes = try fileSystem.read(file, count: stride + Self.slotSize, at: 0)
    } catch {
      if error.errno == ENOENT { return nil }
      isUnreadable = true
      throw error
    }
    var newest: (counter: UInt64, cursor: Cursor)?
    for start in [0, stride] where start + Self.slotSize <= bytes.count {
      guard let slot = Self.decode(bytes[start..<start + Self.slotSize]) else { continue }
      if newest.map({ slot.counter > $0.counter }) ?? true { newest = slot }
    }
    counter = newest?.counter ?? 0
    return newest?.cursor
  }

  /// Writes the slot that does not hold the newest cursor; `isDurable` syncs it.
  ///
  /// After a failure the same slot is written again, through a new descriptor, so that the other slot stays whole.
  mutating func store(
    _ cursor: Cursor, _ fileSystem: any FileSystem, isDurable: Bool
  ) throws(SystemError) {
    do { try write(cursor, fileSystem, isDurable: isDurable) } catch {
      close(fileSystem)
      throw error
    }
  }

  private mutating func write(
    _ cursor: Cursor, _ fileSystem: any FileSystem, isDurable: Bool
  ) throws(SystemError) {
    if file < 0 {
      if isUnreadable {
        // Slots nobody could read may count higher than ours and would win at the next start.
        try fileSystem.unlink(path)
        isUnreadable = false
      }
      file = try fileSystem.open(path, .update)
      if isDurable, try fileSystem.size(file) < stride + Self.slotSize {
        // Its blocks are had while there is room: a full disk must not keep the cursor from moving.
        try fileSystem.write(file, all: [UInt8](repeating: 0, count: 2 * stride), at: 0)
      }
    }
    let next = counter &+ 1
    try fileSystem.write(file, all: Self.encode(cursor, counter: next), at: next.isMultiple(of: 2) ? 0 : stride)
    if isDurable {
      try fileSystem.synchronizeData(file)
      if !isEntryDurable {
        try fileSystem.synchronizeDirectory(parent(of: path))
        isEntryDurable = true
      }
    }
    counter = next
  }

  mutating func close(_ fileSystem: any FileSystem) {
    if file >= 0 { fileSystem.close(file) }
    file = -1
  }

  static func encode(_ cursor: Cursor, counter: UInt64) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: slotSize)
    bytes.withUnsafeMutableBytes { raw in
      raw.storeBytes(of: magic.littleEndian, toByteOffset: 0, as: UInt32.self)
      raw[4] = version
      raw.storeBytes(of: counter.littleEndian, toByteOffset: 16, as: UInt64.self)
      raw.storeBytes(of: cursor.acknowledged.littleEndian, toByteOffset: 24, as: UInt64.self)
      raw.storeBytes(of: cursor.newestTimestamp.littleEndian, toByteOffset: 32, as: Int64.self)
      raw.storeBytes(of: cursor.base.littleEndian, toByteOffset: 40, as: UInt64.self)
      raw.storeBytes(of: checksum(UnsafeRawBufferPointer(raw)).littleEndian, toByteOffset: 8, as: UInt32.self)
    }
    return bytes
  }

  static func decode(_ bytes: ArraySlice<UInt8>) -> (counter: UInt64, cursor: Cursor)? {
    bytes.withUnsafeBytes { raw in
      guard raw.count == slotSize, raw.loadLittleEndian(0, as: UInt32.self) == magic, raw[4] == version,
        raw.loadLittleEndian(8, as: UInt32.self) == checksum(raw)
      else { return nil }
      let cursor = Cursor(
        acknowledged: raw.loadLittleEndian(24, as: UInt64.self), base: raw.loadLittleEndian(40, as: UInt64.self),
        newestTimestamp: raw.loadLittleEndian(32, as: Int64.self))
      guard cursor.acknowledged <= RecordFormat.maximumSequence else { return nil }
      return (raw.loadLittleEndian(16, as: UInt64.self), cursor)
    }
  }

  private static func checksum(_ slot: UnsafeRawBufferPointer) -> UInt32 {
    guard let base = slot.baseAddress, slot.count == slotSize else { return 0 }
    return bg_crc32c(bg_crc32c(0, base, 8), base + 12, slotSize - 12)
  }
}
