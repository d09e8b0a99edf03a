/// The checksums ThingsBoard gives a package, under the names it uses.
///
/// Source: contract.md §8; ThingsBoard's ChecksumAlgorithm.
public enum ChecksumAlgorithm: String, Sendable, Hashable, CaseIterable {
  case md5 = "MD5"
  case sha256 = "SHA256"
  case sha384 = "SHA384"
  case sha512 = "SHA512"
  case crc32 = "CRC32"
  case murmur3_32 = "MURMUR3_32"
  case murmur3_128 = "MURMUR3_128"

  /// Reads a name as people and servers spell it: `SHA256`, `SHA-256`, `sha256`.
  public init?(named name: String) {
    let letters = Self.letters(name)
    guard let algorithm = Self.allCases.first(where: { Self.letters($0.rawValue) == letters }) else { return nil }
    self = algorithm
  }

  private static func letters(_ name: String) -> String {
    name.uppercased().filter { $0 != "-" && $0 != "_" && $0 != " " }
  }
}
