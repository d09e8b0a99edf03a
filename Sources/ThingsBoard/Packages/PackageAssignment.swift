public import Telemetry

/// A package the server has assigned to this device: what its shared attributes say, unjudged.
///
/// Everything in it comes from outside: a title is no file name, a size no promise.
///
/// Source: contract.md §8.
public struct PackageAssignment: Sendable, Equatable {
  public var kind: PackageKind
  public var title: String
  public var version: String
  /// What a person has written beside it; shown only.
  public var tag: String?
  /// Bytes; `nil` where the server does not say it, as for an external package.
  public var size: Int64?
  /// As the server spells it; `nil` where it gives none.
  public var checksum: String?
  /// The algorithm's name, such as `SHA256`.
  public var checksumAlgorithm: String?
  /// Where an external package is; may hold a secret. `nil` for one the server has itself.
  public var url: Secret?
  /// Base64 of the package's detached ed25519 signature: the shared attribute `fw_signature` or `sw_signature`.
  public var signature: String?

  public init(kind: PackageKind, title: String, version: String) {
    self.kind = kind
    self.title = title
    self.version = version
  }

  /// Names of the shared attributes an assignment of this kind consists of.
  public static func keys(of kind: PackageKind) -> [String] {
    ["title", "version", "tag", "size", "checksum", "checksum_algorithm", "url", "signature"]
      .map { "\(kind.prefix)_\($0)" }
  }

  /// Reads the assignment of `kind`.
  ///
  /// - Parameter attributes: All shared attributes there are.
  /// - Returns: `nil` where none is assigned: without a title and a version.
  public init?(_ kind: PackageKind, among attributes: [(String, JSON)]) {
    func text(_ name: String) -> String? {
      guard case .string(let text) = attributes.first(where: { $0.0 == "\(kind.prefix)_\(name)" })?.1, !text.isEmpty
      else { return nil }
      return text
    }
    guard let title = text("title"), let version = text("version") else { return nil }
    self.init(kind: kind, title: title, version: version)
    tag = text("tag")
    if case .integer(let bytes) = attributes.first(where: { $0.0 == "\(kind.prefix)_size" })?.1 { size = bytes }
    checksum = text("checksum")
    checksumAlgorithm = text("checksum_algorithm")
    url = text("url").map { Secret($0) }
    signature = text("signature")
  }
}
