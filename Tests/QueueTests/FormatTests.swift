import CKernel
import Testing

@testable import Queue

@Suite struct FormatTests {
  struct Vector: CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
    var checksum: UInt32
    init(_ name: String, _ bytes: [UInt8], _ checksum: UInt32) {
      testDescription = name
      self.bytes = bytes
      self.checksum = checksum
    }
  }

  // RFC 3720 appendix B.4 prints them in the order of transmission, lowest byte first.
  static let vectors = [
    Vector("the check value of the CRC catalogue", Array("123456789".utf8), 0xE306_9283),
    Vector("32 zeros", [UInt8](repeating: 0, count: 32), 0x8A91_36AA),
    Vector("32 ones", [UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
    Vector("0 to 31", Array(0...31), 0x46DD_794E),
    Vector("31 to 0", (0...31).reversed(), 0x113F_DB5C),
  ]

  @Test(arguments: vectors) func crc32cMatchesThePublishedVector(_ vector: Vector) {
    vector.bytes.withUnsafeBytes { raw in
      #expect(bg_crc32c(0, raw.baseAddress, raw.count) == vector.checksum)
      #expect(bg_crc32c_portable(0, raw.baseAddress, raw.count) == vector.checksum)
      let half = raw.count / 2
      let begun = bg_crc32c(0, raw.baseAddress, half)
      #expect(bg_crc32c(begun, raw.baseAddress.map { $0 + half }, raw.count - half) == vector.checksum)
    }
  }

  static func encode(_ payload: [UInt8], sequence: UInt64 = 0x0102) -> [UInt8] {
    var bytes: [UInt8] = []
    RecordFormat.append(
      timestamp: 1_700_000_000_000, boottime: -2, payload: payload, sequence: sequence,
      bootID: BootID(high: 0x1122, low: 0x3344), to: &bytes)
    return bytes
  }

  /// The table in docs/queue.md, byte by byte; the checksum was computed outside this program.
  @Test func aRecordsBytesAreTheDocumentedOnes() {
    #expect(
      Self.encode(Array("{}".utf8)) == [
        0xB4, 0x42, 0x47, 0x51, 1, 1, 0, 0, 2, 0, 0, 0, 0x1C, 0xBF, 0xB5, 0x34,
        2, 1, 0, 0, 0, 0, 0, 0, 0x00, 0x68, 0xE5, 0xCF, 0x8B, 1, 0, 0,
        0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0x22, 0x11, 0, 0, 0, 0, 0, 0, 0x44, 0x33, 0, 0, 0, 0, 0, 0,
        0x7B, 0x7D,
      ])
  }

  struct Row: CustomTestStringConvertible {
    var testDescription: String
    var change: @Sendable (inout [UInt8]) -> Void
    var expected: RecordFormat.Decoded
    init(
      _ name: String, _ expected: RecordFormat.Decoded, _ change: @escaping @Sendable (inout [UInt8]) -> Void
    ) {
      testDescription = name
      self.change = change
      self.expected = expected
    }
  }

  static let whole = RecordHeader(
    length: 5, sequence: 0x0102, timestamp: 1_700_000_000_000, boottime: -2, bootID: BootID(high: 0x1122, low: 0x3344))
  static let rows = [
    Row("as written", .record(whole)) { _ in },
    Row("with another record's bytes behind it", .record(whole)) { $0 += [1, 2, 3] },
    Row("one bit of the payload flipped", .damaged) { $0[57] ^= 4 },
    Row("one bit of the timestamp flipped", .damaged) { $0[24] ^= 1 },
    Row("one bit of the checksum flipped", .damaged) { $0[12] ^= 0x80 },
    Row("the length flipped down", .damaged) { $0[8] = 4 },
    Row("the length flipped up: it may still come", .incomplete(needed: 56 + 13)) { $0[8] ^= 8 },
    Row("a length beyond the bound", .damaged) { $0[10] = 0x20 },
    Row("another magic", .damaged) { $0[0] = 0xB5 },
    Row("an unknown kind", .damaged) { $0[5] = 9 },
    Row("a newer version", .newerVersion(7)) { $0[4] = 7 },
    Row("a version that never was", .damaged) { $0[4] = 0 },
    Row("cut in the payload", .incomplete(needed: 61)) { $0.removeLast() },
    Row("cut in the header", .incomplete(needed: 56)) { $0.removeSubrange(30...) },
    Row("cut in the magic", .incomplete(needed: 56)) { $0.removeSubrange(3...) },
    Row("zeros", .damaged) { $0 = [UInt8](repeating: 0, count: 61) },
  ]

  @Test(arguments: rows) func decodes(_ row: Row) {
    var bytes = Self.encode(Array("hello".utf8))
    row.change(&bytes)
    #expect(bytes.withUnsafeBytes { RecordFormat.decode($0) } == row.expected)
  }

  @Test func anyFlippedBitIsFound() {
    let bytes = Self.encode(Array("{\"t\":21.5}".utf8))
    for bit in 0..<bytes.count * 8 {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << (bit % 8)
      if case .record = damaged.withUnsafeBytes({ RecordFormat.decode($0) }) {
        Issue.record("bit \(bit) flipped and not found")
      }
    }
  }

  @Test func segmentNamesKeepTheirOrderAsText() throws {
    let names = [SegmentName(first: 1), SegmentName(first: 1, attempt: 1), SegmentName(first: 255), .init(first: 4096)]
    #expect(names.map(\.text).sorted() == names.map(\.text))
    for name in names { #expect(SegmentName(name.text) == name) }
    #expect(names[2].text == "00000000000000ff.0.seg")
    for other in ["cursor", "0000000000000000.0.seg", "1.0.seg", "00000000000000FF.0.seg", "00000000000000ff.00.seg", "00000000000000ff.0.seg~"] {
      #expect(SegmentName(other) == nil)
    }
  }

  @Test func deviceNamesBecomeOnePathComponent() {
    #expect(DirectoryName.of("pump-1.b_C") == "pump-1.b_C")
    #expect(DirectoryName.of("../x") == "%2e.%2fx")
    #expect(DirectoryName.of("") == "%")
    #expect(DirectoryName.of("ä") == "%c3%a4")
    let long = DirectoryName.of(String(repeating: "x", count: 300))
    #expect(long.utf8.count < 255 - 8)
    #expect(long != DirectoryName.of(String(repeating: "x", count: 301)))
  }

  @Test func bootIDsAreRead() {
    #expect(
      BootID(parsing: "00112233-4455-6677-8899-aabbccddeeff\n".utf8)
        == BootID(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF))
    #expect(BootID(parsing: "0011".utf8) == nil)
    #expect(BootID(parsing: "zz112233445566778899aabbccddeeff".utf8) == nil)
    #expect(BootID.current != .unknown)
  }
}
