internal import ThingsBoard
internal import YAML

extension TLSOptions {
  /// Bytes of the largest PEM file; the authorities of a whole system have some 250 KB.
  static let fileLimit = 2 << 20
  /// Public keys that may be pinned: the one in use and those that follow it.
  static let pinLimit = 16

  /// Reads `server.tls`. Files are opened where tokens are.
  init?(from reader: inout MappingReader, in surroundings: Surroundings) {
    self.init()
    authorities = Self.file("ca", .certificate, suchAs: "/etc/baudgate/ca.pem", &reader, surroundings)
    certificate = Self.file("cert", .certificate, suchAs: "/etc/baudgate/client.pem", &reader, surroundings)
    key = Self.file("key", .privateKey, suchAs: "/etc/baudgate/client.key", &reader, surroundings)
    for (one, other) in [("cert", "key"), ("key", "cert")] where reader.has(one) && !reader.has(other) {
      reader.error(
        at: one, "\(reader.path(of: one)) needs \(quoted(other)) beside it: a client proves itself with both")
    }
    pin = Self.pin(&reader)
    if let version = reader.word("min_version", of: Version.self) { minimumVersion = version }
    let hints = [
      "cafile": "the key is \"ca\"", "certificate": "the key is \"cert\"", "private_key": "the key is \"key\"",
      "verify": "certificates are always verified; for one of your own, name its authority as ca",
      "insecure": "certificates are always verified; for one of your own, name its authority as ca",
    ]
    guard reader.finish(hints: hints) else { return nil }
  }

  private static func pin(_ reader: inout MappingReader) -> String? {
    guard let text = reader.string("pin") else { return nil }
    let pins = text.split(separator: ";", omittingEmptySubsequences: false)
    if pins.count <= pinLimit, pins.allSatisfy(isPin) { return text }
    reader.mismatch(
      "pin",
      expected: "sha256//BASE64 of a public key's SHA-256, 44 characters, or up to \(pinLimit) of them with ; between")
    return nil
  }

  /// Source: CURLOPT_PINNEDPUBLICKEY(3); 32 bytes are 43 characters and one `=` (RFC 4648, 4).
  private static func isPin(_ text: Substring) -> Bool {
    let start = "sha256//"
    guard text.hasPrefix(start) else { return false }
    let digits = text.utf8.dropFirst(start.utf8.count)
    return digits.count == 44 && digits.last == UInt8(ascii: "=")
      && digits.dropLast().allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "/") }
  }

  // MARK: Files

  private enum Contents: String {
    case certificate = "CERTIFICATE"
    case privateKey = "PRIVATE KEY"
  }

  private static func file(
    _ key: String, _ contents: Contents, suchAs example: String, _ reader: inout MappingReader,
    _ surroundings: Surroundings
  ) -> String? {
    guard let text = reader.string(key) else { return nil }
    guard text.hasPrefix("/"), text.utf8.count > 1, !text.contains("\n") else {
      // Not shown: it may be the key itself.
      reader.error(
        at: key, "\(reader.path(of: key)) is no path (not shown); expected an absolute path such as \(example)")
      return nil
    }
    guard surroundings.readsTokens else { return text }
    let subject = "\(reader.path(of: key)): \(text)"
    do throws(BoundedFile.Failure) {
      let file = try BoundedFile(text, atMost: fileLimit)
      guard pemLabels(file.bytes).contains(where: { $0.hasSuffix(contents.rawValue) }) else {
        reader.error(at: key, "\(subject) has no \(contents.rawValue) in it; expected a PEM file")
        return nil
      }
      if contents == .privateKey { check(file, subject, text, &reader) }
      return text
    } catch {
      reader.error(at: key, "\(subject) cannot be read: \(error.message)")
      return nil
    }
  }

  private static func check(_ key: BoundedFile, _ subject: String, _ path: String, _ reader: inout MappingReader) {
    if isEncrypted(key.bytes) {
      reader.error(at: "key", "\(subject) needs a passphrase, which nobody could type; store the key without one")
    }
    if key.isExposed {
      reader.warning(
        at: "key", "\(subject) has mode \(key.permissions), others may read or change it; chmod 640 \(path)")
    }
  }

  /// Source: RFC 7468, 11 (PKCS #8); RFC 1421, 4.6.1.1 (OpenSSL's older form).
  private static func isEncrypted(_ bytes: [UInt8]) -> Bool {
    pemLabels(bytes).contains("ENCRYPTED PRIVATE KEY")
      || pemLines(bytes).contains { $0.starts(with: "Proc-Type: 4,ENCRYPTED".utf8) }
  }
}
