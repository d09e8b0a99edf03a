/// Who takes a package's bytes, in order and one call at a time; the download waits for each.
public protocol PackageReceiver: Sendable {
  /// What keeps it from going on: a full disk.
  associatedtype Failure: Error

  /// Told before the first byte.
  func begin(_ start: PackageStart) async throws(Failure)

  /// Takes the next bytes, at most `PackageDownload.longestPiece`.
  func receive(_ bytes: [UInt8]) async throws(Failure)
}

/// Where a download begins.
public struct PackageStart: Sendable, Equatable {
  /// The next byte's place in the file. 0 where the download could not go on where the one before ended: everything that
  /// is there is to be dropped.
  public var offset: Int64
  /// Bytes of the whole file; `nil` where the server does not say.
  public var total: Int64?
  /// To be kept beside the file and given to the next `fetch`: without it that begins anew.
  public var validator: String?

  public init(offset: Int64, total: Int64? = nil, validator: String? = nil) {
    self.offset = offset
    self.total = total
    self.validator = validator
  }
}

/// Why a download ended before its end.
public enum DownloadFault<Failure: Error>: Error {
  /// The server or the way there. Codes as of `DeviceAPIError`: `.unreachable`, `.unavailable` and `.serverError` are for
  /// later; `.certificate`, `.notThingsBoard` (a login page) and `.unauthorized` (401, 403) for a person, and for later;
  /// `.notFound`, `.redirected`, `.tooLarge` and `.poison` (no URL that can be fetched) stay as they are.
  case server(DeviceAPIError)
  /// The receiver threw this.
  case receiver(Failure)
}
