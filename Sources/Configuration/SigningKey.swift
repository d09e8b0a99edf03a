internal import YAML

/// `public_key` and `public_key_file` of `ota.firmware` and `ota.software`: the ed25519 key packages are signed with.
///
/// Source: RFC 8410 (its forms in DER), RFC 7468 (PEM), RFC 4648 (base64).
enum SigningKey {
  /// Bytes of the longest file with a key: a comment's worth more than a key needs.
  static let fileLimit = 4096
  static let length = 32
  static let privateKeyRemedy =
    "whoever can read a private key can sign packages, it belongs on no board; openssl pkey -in KEY -pubout writes the "
    + "public one"

  private static let keys = ["public_key", "public_key_file"]
  /// SubjectPublicKeyInfo of an ed25519 key, before its 32 bytes.
  private static let publicPrefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]
  /// PKCS #8 of an ed25519 key, before its 32 bytes.
  private static let privatePrefix: [UInt8] = [
    0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
  ]

  /// Why a text gives no key, to be read behind its name.
  private struct Refusal: Error { let message: String }

  /// - Returns: 32 bytes; `nil` where there is none, or where it was refused. Where files are not read, no bytes at all: a
  ///   key that fits no signature.
  static func read(from reader: inout MappingReader, in surroundings: Surroundings) -> [UInt8]? {
    let given = keys.filter { reader.makeKnown($0) }
    guard let key = given.first else { return nil }
    guard given.count == 1 else {
      reader.error(at: keys[1], "\(reader.path) has \(listed(given)); expected one of them")
      return nil
    }
    guard let text = reader.string(key) else { return nil }
    // Never shown: it may be the private one.
    if key == "public_key" {
      return decode(Array(text.utf8), called: reader.path(of: key), at: key, &reader)
    }
    guard text.hasPrefix("/"), text.utf8.count > 1, !text.contains("\n") else {
      reader.error(
        at: key,
        "\(reader.path(of: key)) is no path (not shown); expected an absolute path such as /etc/baudgate/ota.pub")
      return nil
    }
    guard surroundings.readsTokens || surroundings.readsPublicKeys else { return [] }
    let subject = "\(reader.path(of: key)): \(text)"
    do throws(BoundedFile.Failure) {
      let file = try BoundedFile(text, atMost: fileLimit)
      if file.isChangeable {
        reader.warning(at: key, "\(subject) has mode \(file.permissions), others may change it; chmod 644 \(text)")
      }
      return decode(file.bytes, called: subject, at: key, &reader)
    } catch {
      reader.error(at: key, "\(subject) cannot be read: \(error.message)")
      return nil
    }
  }

  private static func decode(
    _ text: [UInt8], called subject: String, at key: String, _ reader: inout MappingReader
  ) -> [UInt8]? {
    do throws(Refusal) { return try publicKey(of: text) } catch {
      reader.error(at: key, "\(subject) \(error.message)")
      return nil
    }
  }

  private static func publicKey(of text: [UInt8]) throws(Refusal) -> [UInt8] {
    let expected =
      "expected an ed25519 public key: its \(length) bytes in base64, 44 characters, or PEM as `openssl pkey -pubout` "
      + "writes it"
    let isPrivate = Refusal(message: "holds a private key (not shown); \(privateKeyRemedy)")
    let labels = pemLabels(text)
    if labels.contains(where: { $0.hasSuffix("PRIVATE KEY") }) { throw isPrivate }
    let body: [UInt8]
    if labels.isEmpty {
      body = text
    } else {
      guard labels.first == "PUBLIC KEY", let found = pemBody(text) else {
        throw Refusal(message: "has no PUBLIC KEY at its beginning (not shown); \(expected)")
      }
      body = found
    }
    guard let bytes = base64(body) else {
      throw Refusal(message: "is no base64 (not shown); \(expected)")
    }
    if bytes.starts(with: privatePrefix) { throw isPrivate }
    if bytes.starts(with: publicPrefix), bytes.count == publicPrefix.count + length {
      return Array(bytes.dropFirst(publicPrefix.count))
    }
    guard labels.isEmpty else { throw Refusal(message: "holds another kind of key (not shown); \(expected)") }
    guard bytes.count == length else {
      throw Refusal(message: "has \(bytes.count) bytes in base64 (not shown); \(expected)")
    }
    return bytes
  }

  /// What stands between the first pair of lines that begin and end a block.
  private static func pemBody(_ text: [UInt8]) -> [UInt8]? {
    let dashes = Array("-----".utf8)
    let lines = pemLines(text)
    guard let start = lines.firstIndex(where: { $0.starts(with: dashes) }),
      let end = lines[(start + 1)...].firstIndex(where: { $0.starts(with: dashes) })
    else { return nil }
    return Array(lines[(start + 1)..<end].joined())
  }

  /// - Parameter text: Standard base64 with its padding; white space is skipped.
  /// - Returns: `nil` for anything else, bits that would be lost included.
  private static func base64(_ text: [UInt8]) -> [UInt8]? {
    var digits = text.filter { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    guard !digits.isEmpty, digits.count % 4 == 0 else { return nil }
    var padding = 0
    while padding < 2, digits.last == UInt8(ascii: "=") {
      digits.removeLast()
      padding += 1
    }
    var bytes: [UInt8] = []
    var (bits, count) = (UInt32(0), 0)
    for digit in digits {
      guard let value = sextet(digit) else { return nil }
      bits = (bits << 6 | value) & 0xFFFF
      count += 6
      guard count >= 8 else { continue }
      count -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
    }
    return bits & (1 << UInt32(count) - 1) == 0 ? bytes : nil
  }

  private static func sextet(_ digit: UInt8) -> UInt32? {
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
