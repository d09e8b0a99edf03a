public import ThingsBoard

/// `ota:`: packages the server assigns. Without a kind's section packages of that kind are not taken.
public struct OTAOptions: Sendable, Equatable {
  public var firmware: PackageOptions?
  public var software: PackageOptions?

  public init() {}

  public subscript(kind: PackageKind) -> PackageOptions? {
    switch kind {
    case .firmware: firmware
    case .software: software
    }
  }
}

/// `ota.firmware` or `ota.software`.
public struct PackageOptions: Sendable, Equatable {
  /// What stands for the package's file among the arguments of `install` and `rollback`.
  public static let filePlaceholder = "{file}"
  public static let chunkSizeRange = (1 << 10)...(8 << 20)
  public static let timeLimitRange = Duration.seconds(1) ... .seconds(6 * 3600)
  public static let confirmWithinRange = Duration.seconds(10) ... .seconds(24 * 3600)
  public static let maxSizeRange = (1 << 10)...(16 << 30)

  /// Absolute path and arguments, without a shell; `{file}` is the package.
  public var install: [String]
  /// Run where the new version does not report itself in time; `nil` leaves things as they are.
  public var rollback: [String]?
  /// A file whose first line is the running version; `nil`, for software alone, means Baudgate's own version.
  public var versionFile: String?
  /// Bytes of a request to the server.
  public var chunkSize = 64 << 10
  /// The largest package that is taken, in bytes.
  public var maxSize = 1 << 30
  /// After this the installation is ended.
  public var timeLimit = Duration.seconds(600)
  /// How long the new version may take to report itself, restarts and a reboot included.
  public var confirmWithin = Duration.seconds(900)
  /// The ed25519 public key packages must be signed with, 32 bytes; `nil` asks for no signature.
  public var publicKey: [UInt8]?

  public init(install: [String]) { self.install = install }
}
