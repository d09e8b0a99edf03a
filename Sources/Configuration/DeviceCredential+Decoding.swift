internal import ThingsBoard
internal import YAML

extension DeviceCredential {
  /// What the shipped file has in the token's place, so that it is valid as it stands.
  static let placeholder = "CHANGE_ME"

  static let kinds = ["token", "token_file", "credential"]

  /// Reads the one of `kinds` that is there, and the token itself.
  init?(_ kind: String, from reader: inout MappingReader, in surroundings: Surroundings) {
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
          let token = surroundings.readsTokens ? reader.secretText(inFile: path, for: kind) : Self.placeholder
        else { return nil }
        self = try DeviceCredential(token: token, source: .file(path))
      default:
        guard surroundings.readsTokens else {
          self = try DeviceCredential(token: Self.placeholder, source: .systemd(text))
          return
        }
        // The service manager's own mode: readable, but for nobody else to reach.
        guard let path = Self.path(ofCredential: text, &reader, surroundings),
          let token = reader.secretText(inFile: path, for: kind, warnsOfMode: false)
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
}
