internal import Telemetry

/// What is kept of an update across restarts: `STATE/updates/KIND.json`.
///
/// Written when the phase changes and at checkpoints of a download. Whatever it claims was durable before: the bytes of
/// the package file, the end of a verification.
struct UpdateRecord: Sendable, Equatable {
  static let format: Int64 = 1
  /// Bytes of the largest record that is read; what is written is below 16 KiB.
  static let sizeLimit = 32 << 10

  enum Phase: String, Sendable, CaseIterable {
    /// Nothing is assigned.
    case idle
    case downloading
    /// All bytes are there, unchecked.
    case downloaded
    case verified
    /// Handed over to the installer, or about to be.
    case updating
    case updated
    case failed
  }

  /// A version that was confirmed, with the title the server gave it.
  struct Running: Sendable, Equatable {
    var title: String
    var version: String
  }

  var phase = Phase.idle
  /// `nil` only in `idle`.
  var package: UpdatePackage?
  /// Bytes of the package file that are durable.
  var bytes: Int64 = 0
  /// Bytes of the whole package, where they are known.
  var size: Int64?
  /// Of an external package: what the source tells its bytes from others by.
  var validator: String?
  /// Bytes of each part; fixed for a download, since the server counts parts.
  var chunkSize = 0
  /// Downloads begun, this one included.
  var attempt = 0
  /// The request's, 32 hexadecimal digits.
  var id: String?
  /// The version that ran before.
  var fromVersion: String?
  /// Whether the installer has said that the package is installed.
  var isInstalled = false
  /// Whether Baudgate has started itself anew for it.
  var isReexecuted = false
  /// The machine's start this record was last written in.
  var boot: String?
  /// Starts of the machine in `updating`, the one of the handover included.
  var boots = 0
  /// From when, in milliseconds of `boot`'s boottime, the new version has its time to report itself.
  var confirmFrom: Int64 = 0
  /// Why it failed.
  var error: String?
  /// What an update has brought; remembered for its title.
  var running: Running?
}

// MARK: - JSON
extension UpdateRecord {
  var bytesOfFile: [UInt8] {
    var members: [JSON.Member] = [
      .init("format", .integer(Self.format)), .init("phase", .string(phase.rawValue)),
      .init("bytes", .integer(bytes)), .init("chunk_size", .integer(Int64(chunkSize))),
      .init("attempt", .integer(Int64(attempt))), .init("installed", .bool(isInstalled)),
      .init("reexecuted", .bool(isReexecuted)), .init("boots", .integer(Int64(boots))),
      .init("confirm_from", .integer(confirmFrom)),
    ]
    if let package { members.append(.init("package", package.json)) }
    if let size { members.append(.init("size", .integer(size))) }
    for (name, text) in [
      ("id", id), ("from_version", fromVersion), ("boot", boot), ("error", error), ("validator", validator),
    ] {
      if let text { members.append(.init(name, .string(text))) }
    }
    if let running {
      members.append(
        .init(
          "running", .object([.init("title", .string(running.title)), .init("version", .string(running.version))])))
    }
    return Array(JSON.object(members).text.utf8)
  }

  /// - Returns: `nil` for what is no whole record of this format.
  init?(parsing bytes: [UInt8]) {
    let limits = JSONLimits(size: Self.sizeLimit, depth: 4, values: 64)
    guard bytes.count <= Self.sizeLimit, let json = try? JSON(parsing: bytes, limits: limits),
      json["format"] == .integer(Self.format), let phase = json.text("phase").flatMap(Phase.init(rawValue:)),
      let count = json.number("bytes"), let chunk = json.number("chunk_size"), let attempt = json.number("attempt"),
      let boots = json.number("boots"), let from = json.number("confirm_from")
    else { return nil }
    self.phase = phase
    package = json["package"].flatMap { UpdatePackage($0) }
    self.bytes = count
    chunkSize = Int(clamping: chunk)
    self.attempt = Int(clamping: attempt)
    self.boots = Int(clamping: boots)
    confirmFrom = from
    size = json.number("size")
    isInstalled = json["installed"] == .bool(true)
    isReexecuted = json["reexecuted"] == .bool(true)
    id = json.text("id")
    fromVersion = json.text("from_version")
    boot = json.text("boot")
    error = json.text("error")
    validator = json.text("validator")
    if let title = json["running"]?.text("title"), let version = json["running"]?.text("version") {
      running = Running(title: title, version: version)
    }
    guard isWhole else { return nil }
  }

  /// Whether it holds what its phase needs.
  private var isWhole: Bool {
    switch phase {
    case .idle: true
    case .downloading: package != nil && chunkSize > 0 && attempt > 0
    case .downloaded, .verified: package != nil && size == bytes && bytes > 0 && chunkSize > 0 && attempt > 0
    case .updating: package != nil && id != nil && boots > 0
    case .updated, .failed: package != nil
    }
  }
}
