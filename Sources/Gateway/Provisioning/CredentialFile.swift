internal import CKernel
internal import EventLoop
internal import Glibc
internal import Logging

/// `credential.json` in the state directory: the token a server has granted, and the one that is proposed to it.
///
/// Replaced as a whole and durably: whoever reads it finds the old content or the new one, whatever was cut off when.
/// Every call may block. One process at a time, the one with the state directory's lock, writes it.
///
/// Source: open(2), fsync(2), rename(2).
struct CredentialFile: Sendable {
  static let name = "credential.json"
  /// Bytes of the largest file that is read; what is written is below 2 KiB.
  static let sizeLimit = 16 << 10
  /// Damaged files that are kept; the last one is replaced then.
  static let damagedLimit = 8

  typealias WriteStep = DurableFile.WriteStep

  /// What was found, and what a person should know of it.
  struct Loaded: Sendable, Equatable {
    var credentials = StoredCredentials()
    var complaints: [Complaint] = []
  }

  struct Complaint: Sendable, Equatable {
    var level: Logger.Level
    var message: String
  }

  private let file: DurableFile
  var path: String { file.path }

  /// - Parameters:
  ///   - directory: The state directory.
  ///   - afterStep: Called after each step of a write; what it throws is what the next step would have.
  init(
    directory: String, afterStep: @escaping @Sendable (WriteStep) throws(SystemError) -> Void = { _ in }
  ) {
    file = DurableFile(directory: directory, name: Self.name, afterStep: afterStep)
  }

  // MARK: Reading

  /// Reads the file. A damaged one is set aside, a readable mode is taken back.
  ///
  /// - Returns: No credentials where there is no file, or only a damaged one.
  /// - Throws: `CredentialFileError` where there may be credentials that cannot be read: nobody should ask a server for
  ///   others then.
  func load() throws(CredentialFileError) -> Loaded {
    var loaded = Loaded()
    let file = bg_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0)
    if file < 0 {
      if errno == ENOENT { return loaded }
      throw unreadable("\(SystemError("open"))")
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw unreadable("\(SystemError("fstat"))") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw unreadable("it is not a regular file") }
    if status.st_mode & 0o077 != 0 { loaded.complaints.append(tighten(file, status.st_mode)) }
    let bytes: [UInt8]
    do throws(SystemError) { bytes = try Self.read(file) } catch { throw unreadable("\(error)") }
    do throws(StoredCredentials.ParsingError) {
      guard bytes.count <= Self.sizeLimit else { throw .damaged("it is longer than \(Self.sizeLimit) bytes") }
      loaded.credentials = try StoredCredentials(parsing: bytes)
    } catch {
      switch error {
      case .damaged(let words): loaded.complaints.append(try setAside(words))
      case .newerVersion(let version):
        throw CredentialFileError(
          .newerVersion,
          """
          \(path) is of version \(version), written by a later Baudgate, and stays as it is; install that again, or \
          move the file away and delete the device on the server
          """)
      }
    }
    return loaded
  }

  private static func read(_ file: CInt) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while bytes.count <= sizeLimit {
      let count = try check("read") { Glibc.read(file, &chunk, chunk.count) }
      if count == 0 { break }
      bytes += chunk.prefix(count)
    }
    return bytes
  }

  private func tighten(_ file: CInt, _ mode: mode_t) -> Complaint {
    let found = "\(path) had mode 0\(String(mode & 0o777, radix: 8)), so that others could read the token"
    if fchmod(file, 0o600) == 0 { return Complaint(level: .warning, message: "\(found); it is 0600 now") }
    return Complaint(level: .warning, message: "\(found); \(SystemError("fchmod")); do chmod 600 \(path)")
  }

  private func setAside(_ words: String) throws(CredentialFileError) -> Complaint {
    let names = (1...Self.damagedLimit).map { $0 == 1 ? "\(path).damaged" : "\(path).damaged-\($0)" }
    var status = stat()
    let aside = names.first { lstat($0, &status) != 0 && errno == ENOENT } ?? names[names.count - 1]
    guard rename(path, aside) == 0 else {
      throw unreadable("it is damaged (\(words)) and cannot be set aside: \(SystemError("rename"))")
    }
    return Complaint(
      level: .error,
      message: """
        \(path) is damaged (\(words)) and was set aside as \(aside); asking the server anew. Where it refuses, put the \
        device's token into device.token, or delete the device on the server
        """)
  }

  private func unreadable(_ words: String) -> CredentialFileError {
    CredentialFileError(
      .unreadable, "\(path) cannot be read, so the server is not asked for another credential: \(words)")
  }

  // MARK: Writing

  /// Replaces the file. Returns only when the new content survives a power cut.
  ///
  /// - Throws: `CredentialFileError` with `.unwritable`; the old content, or the new one, is there then.
  func save(_ credentials: StoredCredentials) throws(CredentialFileError) {
    do throws(SystemError) { try file.replace(with: credentials.bytes) } catch {
      throw CredentialFileError(
        .unwritable, "\(path) cannot be written: \(error); make room or make the state directory writable")
    }
  }
}

/// Why the credential file could not be read or written.
struct CredentialFileError: Error, Sendable, Equatable, CustomStringConvertible {
  enum Code: Sendable, Equatable {
    case unreadable
    case newerVersion
    case unwritable
  }

  let code: Code
  /// What happened, where, and what to do; holds no secret.
  let message: String

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  var description: String { message }
}
