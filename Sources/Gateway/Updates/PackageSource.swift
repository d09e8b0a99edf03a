internal import ThingsBoard

/// A part of a package as its source gave it.
struct PackagePart: Sendable, Equatable {
  var bytes: [UInt8]
  /// Bytes of the whole package, where the source says it.
  var total: Int64?
  /// What tells this package's bytes from another's at the same place, where the source has it: for going on later.
  var validator: String?
  /// The source does not go on at the offset: everything is to be fetched again. Without bytes.
  var isAnew = false
}

/// Where the bytes of one assigned package come from.
protocol PackageSource: Sendable {
  /// Fetches a part. Cancelling the task ends the request.
  ///
  /// - Parameters:
  ///   - offset: Where the part begins; a multiple of `limit`, and the end of the part before it or of what an earlier
  ///     life has got.
  ///   - limit: Bytes of each part but the last, which may be shorter; empty where the package ends at `offset`.
  ///   - validator: Of the part before it, where that had one.
  /// - Returns: What there was, whatever its length; never more than `limit` bytes and one.
  /// - Throws: `DeviceAPIError`: `.poison` and `.notFound` where this package is not to be had there (any more).
  func part(at offset: Int64, atMost limit: Int, validator: String?) async throws(DeviceAPIError) -> PackagePart
}

/// A package the server holds itself, chunk by chunk.
///
/// Source: contract.md §8.
struct ServerPackage: PackageSource {
  let api: any DeviceAPI
  let kind: PackageKind
  let title: String
  let version: String

  func part(at offset: Int64, atMost limit: Int, validator: String?) async throws(DeviceAPIError) -> PackagePart {
    let number = Int(clamping: offset / Int64(max(1, limit)))
    let bytes = try await api.packageChunk(kind, title: title, version: version, chunk: number, size: limit)
    return PackagePart(bytes: bytes)
  }
}

/// Why a downloaded package is not installed.
enum PackageObjection: Error, Sendable, Equatable {
  /// The bytes are not those that were meant; another download may help.
  case damaged(String)
  /// No download helps: an unknown algorithm, a missing signature, a bad key.
  case refused(String)
}

/// Checks a package: size, checksum, signature.
protocol PackageVerifier: Sendable {
  /// What can be told before the first byte.
  func objection(to package: UpdatePackage, publicKey: [UInt8]?) -> PackageObjection?
  /// Checks the file. May block for as long as reading it takes.
  func verify(path: String, _ package: UpdatePackage, size: Int64, publicKey: [UInt8]?) throws(PackageObjection)
}
