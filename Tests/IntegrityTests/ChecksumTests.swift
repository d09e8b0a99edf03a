import Testing

@testable import Integrity

@Suite struct ChecksumTests {
  private func sum(_ algorithm: ChecksumAlgorithm, _ pieces: [UInt8]...) throws -> String {
    var checksum = try Checksum(algorithm)
    for piece in pieces { checksum.update(piece) }
    return checksum.finish()
  }

  struct Row: CustomTestStringConvertible, Sendable {
    var algorithm: ChecksumAlgorithm
    var text: String
    var expected: String
    var testDescription: String { "\(algorithm) of '\(text)'" }
    init(_ algorithm: ChecksumAlgorithm, _ text: String, _ expected: String) {
      self.algorithm = algorithm
      self.text = text
      self.expected = expected
    }
  }

  private static let fox = "The quick brown fox jumps over the lazy dog"

  /// RFC 1321, FIPS 180-4, contract.md §8, and Guava's own tests of Murmur3.
  static let rows = [
    Row(.md5, "", "d41d8cd98f00b204e9800998ecf8427e"), Row(.md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
    Row(.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    Row(
      .sha384, "abc",
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"),
    Row(
      .sha512, "abc",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
    Row(.crc32, "", "00000000"), Row(.crc32, "abc", "c2412435"), Row(.murmur3_32, "abc", "fa93ddb3"),
    Row(.murmur3_128, "abc", "6778ad3f3f3f96b4522dca264174a23b"), Row(.murmur3_32, fox, "23f74f2e"),
    Row(.murmur3_128, fox, "6c1b07bc7bbc4be347939ac4a93c437a"),
  ]

  @Test(arguments: rows) func isPrintedAsGuavaDoes(_ row: Row) throws {
    #expect(try sum(row.algorithm, Array(row.text.utf8)) == row.expected)
  }

  @Test func allBytesAsInTheContract() throws {
    let bytes = (0...255).map { UInt8($0) }
    #expect(try sum(.crc32, bytes) == "738c0529")
    #expect(try sum(.murmur3_32, bytes) == "560e0ae4")
    #expect(try sum(.murmur3_128, bytes) == "b9126fdc13c3991c1ecc34ab7f07d670")
  }

  @Test func everyLengthAroundABlock() throws {
    let bytes = (0..<64).map { UInt8(truncatingIfNeeded: $0 * 7 + 3) }
    for (count, crc, murmur32, murmur128) in Self.lengths {
      let message = Array(bytes.prefix(count))
      #expect(try sum(.crc32, message) == crc, "\(count)")
      #expect(try sum(.murmur3_32, message) == murmur32, "\(count)")
      #expect(try sum(.murmur3_128, message) == murmur128, "\(count)")
    }
  }

  @Test(arguments: ChecksumAlgorithm.allCases) func howBytesAreCutMakesNoDifference(
    _ algorithm: ChecksumAlgorithm
  ) throws {
    let bytes = (0..<100).map { UInt8(truncatingIfNeeded: $0 &* $0 &+ 11) }
    let whole = try sum(algorithm, bytes)
    for first in 0...40 {
      for second in [0, 1, 3, 15, 16, 17, 33] {
        let pieces = [bytes[..<first], bytes[first..<first + second], bytes[(first + second)...]].map { Array($0) }
        #expect(try sum(algorithm, pieces[0], pieces[1], [], pieces[2]) == whole)
      }
    }
  }

  /// Slices of one buffer begin at any address.
  @Test(arguments: ChecksumAlgorithm.allCases) func alignmentMakesNoDifference(_ algorithm: ChecksumAlgorithm) throws {
    let message = (0..<61).map { UInt8($0) }
    let whole = try sum(algorithm, message)
    for shift in 0..<9 {
      let shifted = [UInt8](repeating: 0xFF, count: shift) + message
      var checksum = try Checksum(algorithm)
      shifted.withUnsafeBytes { checksum.update(UnsafeRawBufferPointer(rebasing: $0[shift...])) }
      #expect(checksum.finish() == whole)
    }
  }

  @Test(arguments: [
    ("SHA256", ChecksumAlgorithm.sha256), ("sha-256", .sha256), ("Murmur3_32", .murmur3_32), ("crc-32", .crc32),
  ])
  func namesAreReadLeniently(_ name: String, _ algorithm: ChecksumAlgorithm) {
    #expect(ChecksumAlgorithm(named: name) == algorithm)
  }

  @Test(arguments: ["", "SHA1", "SHA2567", "SHA-3", "MURMUR3", "null"]) func othersAreUnknown(_ name: String) {
    #expect(ChecksumAlgorithm(named: name) == nil)
  }

  /// Made with the package mmh3 and Python's zlib: length, CRC32, MURMUR3_32, MURMUR3_128.
  private static let lengths: [(Int, String, String, String)] = [
    (0, "00000000", "00000000", "00000000000000000000000000000000"),
    (1, "37be0b4b", "76802a5e", "593e6a30ddc66a72e4a8b5c52711714e"),
  ]
}
