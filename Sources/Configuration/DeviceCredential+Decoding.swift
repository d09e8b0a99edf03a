internal import ThingsBoard
internal import YAML

extension DeviceCredential {
  /// Bytes of the longest token file: a token and a comment's worth of blank space.
  static let fileLimit = 4096

  /// What the shipped file has in the token's place, so that it is valid as it stands.
  static let placeholder = "CHANGE_ME"

  private static let kinds = ["token", "token_file", "credential"]

  /// Reads `token`, `token_file` or `credential`, exactly one of them, and the token itself.
  init?(from reader: inout MappingReader, in surroundings: Surroundings) {
    let given = Self.kinds.filter { reader.makeKnown($0) }
    guard let kind = given.first, given.count == 1 else {
      if let second = given.dropFirst().first {
        reader.error(at: second, "\(reader.path) has \(listed(given)); expected one of them")
      } else if !reader.has("provision"), !reader.hasNearMiss(of: Self.kinds) {
        reader.error(at: "", "\(reader.path) has no \(listed(Self.kinds.map(quoted), or: true)); one is required")
      }
      return nil
    }
    guard let text = reader.nonEmptyString(kind) else { return nil }
    do throws(TokenError) {
      switch kind {
      case "token":
        self = try DeviceCredential(token: text, source: .configuration)
        if text == Self.placeholder {
          reader.warning(
            at: kind, "\(reader.path(of: kind)) is still \(text), which no server knows; put the device's token there")
        }
      case "token_file":
        guard let path = reader.absolutePath(kind, suchAs: "/etc/baudgate/token"),
          let token = surroundings.readsTokens ? Self.token(inFile: path, for: kind, &reader) : Self.placeholder
        else { return nil }
        self = try DeviceCredential(token: token, source: .file(path))
      default:
        guard surroundings.readsTokens else {
          self = try DeviceCredential(token: Self.placeholder, source: .systemd(text))
          return
        }
        guard let path = Self.path(ofCredential: text, &reader, surroundings),
          let token = Self.token(inFile: path, for: kind, &reader)
        else { return nil }
        self = try DeviceCredential(token: token, source: .systemd(text))
      }
    } catch {
      let subject = kind == "token" ? reader.path(of: kind) : "the token of \(reader.path(of: kind))"
      reader.error(at: kind, "\(subject) \(error)")
      return nil
    }
  }

  private static func path(
    ofCredential name: String, _ reader: inout MappingReader, _ surroundings: Surroundings
  ) -> String? {
    guard !name.contains("/"), name != ".", name != ".." else {
      reader.error(
        at: "credential", "\(reader.path(of: "credential")) is the name of a systemd credential, not a path")
      return nil
    }
    guard let directory = surroundings.credentialsDirectory else {
      reader.error(
        at: "credential",
        "\(reader.path(of: "credential")) needs $CREDENTIALS_DIRECTORY, which the service manager sets for "
          + "LoadCredential=\(name):FILE in the unit")
      return nil
    }
    return "\(directory)/\(name)"
  }

  private static func token(inFile path: String, for key: String, _ reader: inout MappingReader) -> String? {
    let subject = "\(reader.path(of: key)): \(path)"
    do throws(BoundedFile.Failure) {
      let file = try BoundedFile(path, atMost: fileLimit)
      if file.isExposed, key == "token_file" {
        reader.warning(
          at: key, "\(subject) has mode \(file.permissions), others may read or change it; chmod 640 \(path)")
      }
      var bytes = file.bytes[...]
      while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { bytes.removeLast() }
      guard let text = String(validating: bytes, as: UTF8.self) else {
        reader.error(at: key, "\(subject) is not text in UTF-8")
        return nil
      }
      return text
    } catch {
      reader.error(at: key, "\(subject) cannot be read: \(error.message)")
      return nil
    }
  }
}
