internal import ThingsBoard
internal import YAML

extension DeviceIdentity {
  private static let kinds = DeviceCredential.kinds + ["provision"]

  /// Reads `token`, `token_file`, `credential` or `provision` of `device`, exactly one of them.
  init?(from reader: inout MappingReader, in surroundings: Surroundings) {
    let given = Self.kinds.filter { reader.makeKnown($0) }
    guard let kind = given.first, given.count == 1 else {
      if let second = given.dropFirst().first {
        reader.error(at: second, "\(reader.path) has \(listed(given)); expected one of them")
      } else if !reader.hasNearMiss(of: Self.kinds) {
        reader.error(at: "", "\(reader.path) has no \(listed(Self.kinds.map(quoted), or: true)); one is required")
      }
      return nil
    }
    if kind == "provision" {
      guard var section = reader.mapping(kind), let options = ProvisionOptions(from: &section, in: surroundings)
      else { return nil }
      self = .provision(options)
    } else {
      guard let credential = DeviceCredential(kind, from: &reader, in: surroundings) else { return nil }
      self = .token(credential)
    }
  }
}

extension ProvisionOptions {
  /// Reads `device.provision`, whose reader hides values.
  init?(from reader: inout MappingReader, in surroundings: Surroundings) {
    let key = reader.secret("key", isRequired: true, in: surroundings)
    let secret = reader.secret("secret", isRequired: true, in: surroundings)
    Self.checkType(&reader)
    guard reader.finish(), let key, let secret else { return nil }
    self.init(key: key, secret: secret)
  }

  /// Of the credentials the server can give only one is something HTTP can show.
  private static func checkType(_ reader: inout MappingReader) {
    let key = "credentials_type"
    guard let text = reader.string(key), text != "ACCESS_TOKEN" else { return }
    let subject = reader.path(of: key)
    switch text {
    case "MQTT_BASIC":
      reader.error(
        at: key,
        "\(subject) is MQTT_BASIC, a user name and password for MQTT that HTTP cannot use; expected ACCESS_TOKEN")
    case "X509_CERTIFICATE":
      reader.error(
        at: key,
        "\(subject) is X509_CERTIFICATE, which HTTP cannot use in a token's place; expected ACCESS_TOKEN. "
          + "A server that asks for a certificate as well gets it from server.tls.cert and server.tls.key")
    default:
      reader.mismatch(key, expected: "ACCESS_TOKEN", words: ["ACCESS_TOKEN", "MQTT_BASIC", "X509_CERTIFICATE"])
    }
  }
}
