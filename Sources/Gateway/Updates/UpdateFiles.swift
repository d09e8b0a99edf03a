internal import CKernel
internal import EventLoop
internal import Glibc
internal import ThingsBoard

/// The files of one kind in `STATE/updates`, of which daemon and installer know. Every call may block.
///
/// Source: docs/updates.md.
struct UpdateFiles: Sendable {
  /// What has become durable, for tests that end the daemon there.
  enum Step: Sendable, Equatable {
    case record(DurableFile.WriteStep)
    case request(DurableFile.WriteStep)
    case confirmed(DurableFile.WriteStep)
    case package(PackageFile.Step)
    case removed(String)
  }

  /// What a start finds.
  struct Found: Sendable, Equatable {
    var record: UpdateRecord?
    /// Why the record is not used, and where it is now.
    var complaint: String?
  }

  /// How far the installer is.
  struct Look: Sendable, Equatable {
    /// The id of the request that stands there.
    var request: String?
    var result: InstallResult?
  }

  let directory: String
  let kind: PackageKind
  let package: PackageFile
  private let record: DurableFile
  private let request: DurableFile
  private let result: DurableFile
  private let confirmed: DurableFile
  private let afterStep: @Sendable (Step) throws(SystemError) -> Void

  /// - Parameters:
  ///   - directory: `STATE/updates`; made where it is missing.
  ///   - space: What its file system has.
  ///   - afterStep: Called after each step; what it throws is what the next step would have.
  init(
    directory: String, kind: PackageKind,
    space: @escaping @Sendable (String) throws(SystemError) -> PackageFile.Space = PackageFile.space,
    afterStep: @escaping @Sendable (Step) throws(SystemError) -> Void = { _ in }
  ) {
    self.directory = directory
    self.kind = kind
    self.afterStep = afterStep
    let name = kind.rawValue
    package = PackageFile(directory: directory, name: "\(name).package", space: space) { step throws(SystemError) in
      try afterStep(.package(step))
    }
    record = DurableFile(directory: directory, name: "\(name).json") { step throws(SystemError) in
      try afterStep(.record(step))
    }
    request = DurableFile(directory: directory, name: "\(name).request") { step throws(SystemError) in
      try afterStep(.request(step))
    }
    confirmed = DurableFile(directory: directory, name: "\(name).confirmed") { step throws(SystemError) in
      try afterStep(.confirmed(step))
    }
    result = DurableFile(directory: directory, name: "\(name).result")
  }

  // MARK: The record

  /// Makes the directory and reads the record. A damaged one is set aside; where a request stands there, an installation
  /// is under way that must not be begun again, so the record is made up from it.
  func load() throws(SystemError) -> Found {
    if mkdir(directory, 0o700) != 0, errno != EEXIST { throw SystemError("mkdir \(directory)") }
    guard let bytes = try record.read(atMost: UpdateRecord.sizeLimit) else {
      return Found(record: try recordOfRequest())
    }
    if let record = UpdateRecord(parsing: bytes) { return Found(record: record) }
    let aside = "\(record.path).damaged"
    try check("rename \(record.path)") { rename(record.path, aside) }
    let rest = try recordOfRequest()
    let what =
      rest == nil ? "what is assigned is looked at anew" : "the installation that was asked for is waited for"
    return Found(record: rest, complaint: "\(record.path) is damaged and was set aside as \(aside); \(what)")
  }

  private func recordOfRequest() throws(SystemError) -> UpdateRecord? {
    guard let request = try readRequest() else { return nil }
    var record = UpdateRecord()
    record.phase = .updating
    record.package = request.package
    record.id = request.id
    record.fromVersion = request.fromVersion
    record.bytes = request.size
    record.size = request.size
    record.boots = 1
    return record
  }

  func save(_ record: UpdateRecord) throws(SystemError) { try self.record.replace(with: record.bytesOfFile) }

  // MARK: The installer

  func write(_ request: InstallRequest) throws(SystemError) { try self.request.replace(with: request.bytes(kind)) }

  func look() throws(SystemError) -> Look {
    Look(
      request: try readRequest()?.id,
      result: try result.read(atMost: InstallResult.sizeLimit).flatMap { InstallResult(parsing: $0) })
  }

  private func readRequest() throws(SystemError) -> InstallRequest? {
    try request.read(atMost: InstallRequest.sizeLimit).flatMap { InstallRequest(parsing: $0) }
  }

  /// Takes the request back.
  ///
  /// - Returns: How far the installer is all the same.
  func withdraw() throws(SystemError) -> Look {
    try remove(request)
    return try look()
  }

  /// Lets the installer end without a rollback.
  func confirm(_ id: String) throws(SystemError) { try confirmed.replace(with: Array(id.utf8)) }

  /// Removes what is over. The confirmation stays until the next one replaces it: the installer may not have read it yet,
  /// and it speaks of one id only.
  func cleanUp() throws(SystemError) {
    try remove(request)
    try remove(result)
    if unlink(package.path) != 0, errno != ENOENT { throw SystemError("unlink \(package.path)") }
    try afterStep(.removed("package"))
  }

  private func remove(_ file: DurableFile) throws(SystemError) {
    try file.remove()
    try afterStep(.removed(file.path))
  }
}
