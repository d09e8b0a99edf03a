internal import Telemetry
internal import ThingsBoard

/// `KIND.request`: what the daemon asks the installer for. No path and no command, which are root's to say.
///
/// Source: docs/updates.md.
struct InstallRequest: Sendable, Equatable {
  static let sizeLimit = 64 << 10

  var id: String
  var package: UpdatePackage
  /// Bytes of the file.
  var size: Int64
  var fromVersion: String?

  func bytes(_ kind: PackageKind) -> [UInt8] {
    func text(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }
    let json = JSON.object([
      .init("format", .integer(1)), .init("id", .string(id)), .init("kind", .string(kind.rawValue)),
      .init("title", .string(package.title)), .init("version", .string(package.version)),
      .init("size", .integer(size)), .init("checksum", text(package.checksum)),
      .init("checksum_algorithm", text(package.checksumAlgorithm)), .init("signature", text(package.signature)),
      .init("from_version", text(fromVersion)),
    ])
    return Array(json.text.utf8)
  }

  /// - Returns: `nil` for what this version has not written.
  init?(parsing bytes: [UInt8]) {
    let limits = JSONLimits(size: Self.sizeLimit, depth: 4, values: 64)
    guard bytes.count <= Self.sizeLimit, let json = try? JSON(parsing: bytes, limits: limits),
      json["format"] == .integer(1), let id = json.text("id"), let size = json.number("size"),
      var package = UpdatePackage(json)
    else { return nil }
    package.size = size
    package.urlMark = UpdatePackage.forgottenURL
    self.init(id: id, package: package, size: size, fromVersion: json.text("from_version"))
  }

  init(id: String, package: UpdatePackage, size: Int64, fromVersion: String?) {
    self.id = id
    self.package = package
    self.size = size
    self.fromVersion = fromVersion
  }
}

/// `KIND.result`: how far the installer is.
///
/// Source: docs/updates.md.
struct InstallResult: Sendable, Equatable {
  static let sizeLimit = 64 << 10

  enum State: String, Sendable {
    case installing
    /// The command ended with 0; the new version is to report itself.
    case installed
    case failed
    case rolledBack = "rolled_back"
  }

  var id: String
  var state: State
  var error: String?
  /// The end of what the command printed.
  var output: String?

  init(id: String, state: State, error: String? = nil, output: String? = nil) {
    self.id = id
    self.state = state
    self.error = error
    self.output = output
  }

  /// - Returns: `nil` for what is none.
  init?(parsing bytes: [UInt8]) {
    let limits = JSONLimits(size: Self.sizeLimit, depth: 4, values: 64)
    guard bytes.count <= Self.sizeLimit, let json = try? JSON(parsing: bytes, limits: limits),
      json["format"] == .integer(1), let id = json.text("id"),
      let state = json.text("state").flatMap(State.init(rawValue:))
    else { return nil }
    self.init(id: id, state: state, error: json.text("error"), output: json.text("output"))
  }

  /// What to tell the server: the error and the last line the command printed.
  var words: String {
    let said = error ?? (state == .rolledBack ? "the new version was rolled back" : "the installation failed")
    let last = output?.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) }
    return oneLine(last.map { "\(said): \($0)" } ?? said)
  }
}
