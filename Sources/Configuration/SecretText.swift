internal import ThingsBoard
internal import YAML

extension MappingReader {
  /// Bytes of the longest secret: what a column of the server's database holds.
  static let longestSecret = 255
  /// Bytes of the longest file with a secret: the secret and a comment's worth of blank space.
  static let secretFileLimit = 4096

  /// The secret under `key`, or alone in the file that `key_file` names.
  ///
  /// - Returns: `nil` when neither is there or it was refused; a placeholder where secrets are not read.
  mutating func secret(_ key: String, isRequired: Bool, in surroundings: Surroundings) -> Secret? {
    let kinds = [key, "\(key)_file"]
    let given = kinds.filter { makeKnown($0) }
    guard let kind = given.first, given.count == 1 else {
      if !given.isEmpty {
        error(at: kinds[1], "\(path) has \(listed(given)); expected one of them")
      } else if isRequired, !hasNearMiss(of: kinds) {
        error(at: "", "\(path) has no \(listed(kinds.map(quoted), or: true)); one is required")
      }
      return nil
    }
    guard kind != key else {
      return nonEmptyString(key).flatMap { checkedSecret($0, called: path(of: key), at: key) }
    }
    guard let file = absolutePath(kind, suchAs: "/etc/baudgate/\(key)") else { return nil }
    guard surroundings.readsTokens else { return Secret(DeviceCredential.placeholder) }
    guard let text = secretText(inFile: file, for: kind) else { return nil }
    return checkedSecret(text, called: "the text of \(path(of: kind))", at: kind)
  }

  private mutating func checkedSecret(_ text: String, called subject: String, at key: String) -> Secret? {
    let problem: String
    if text.isEmpty {
      problem = "is empty"
    } else if text.utf8.count > Self.longestSecret {
      problem = "is longer than \(Self.longestSecret) bytes"
    } else if text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
      problem = "has a control character in it"
    } else {
      return Secret(text)
    }
    error(at: key, "\(subject) \(problem)")
    return nil
  }

  /// The text alone in a file, without the line end behind it; `nil`, and a message at `key`, where it cannot be read.
  ///
  /// - Parameter warnsOfMode: Whether others than owner and group that may read the file are worth a warning.
  mutating func secretText(inFile file: String, for key: String, warnsOfMode: Bool = true) -> String? {
    let subject = "\(path(of: key)): \(file)"
    do throws(BoundedFile.Failure) {
      let contents = try BoundedFile(file, atMost: Self.secretFileLimit)
      if contents.isExposed, warnsOfMode {
        warning(
          at: key, "\(subject) has mode \(contents.permissions), others may read or change it; chmod 640 \(file)")
      }
      var bytes = contents.bytes[...]
      while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { bytes.removeLast() }
      if let text = String(validating: bytes, as: UTF8.self) { return text }
      error(at: key, "\(subject) is not text in UTF-8")
    } catch {
      self.error(at: key, "\(subject) cannot be read: \(error.message)")
    }
    return nil
  }
}

/// Reads a secret from a small file: its text without the line end.
///
/// - Throws: `SecretFileError`, which does not repeat what stands there.
public func readSecret(inFile path: String) throws(SecretFileError) -> String {
  let file: BoundedFile
  do throws(BoundedFile.Failure) { file = try BoundedFile(path, atMost: MappingReader.secretFileLimit) } catch {
    throw SecretFileError("cannot be read: \(error.message)")
  }
  var bytes = file.bytes[...]
  while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { bytes.removeLast() }
  guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty else {
    throw SecretFileError("is empty or no text in UTF-8")
  }
  return text
}

/// Why a file gives no secret, to be read behind its name.
public struct SecretFileError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}
