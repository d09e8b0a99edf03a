/// A package file and all that is said of it: what a check is to find true.
public struct PackageClaim: Sendable, Equatable {
  /// Open for reading, so that what is checked is what was opened; the installer closes it.
  public var descriptor: CInt
  /// Bytes.
  public var size: Int64
  /// As the server spells it; `nil` where it gives none.
  public var checksum: String?
  public var checksumAlgorithm: String?
  /// The configuration's ed25519 key; where there is one an unsigned package is to be refused.
  public var publicKey: [UInt8]?
  /// Base64.
  public var signature: String?

  /// Whether a file is what is said of it.
  ///
  /// Reads from the beginning and throws what is wrong, its description a sentence.
  public typealias Check = @Sendable (PackageClaim) throws -> Void
}
