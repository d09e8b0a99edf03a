internal import Glibc

/// Why a package is not the one it should be, or why that cannot be told.
public struct PackageFault: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Code: Sendable, Equatable {
    /// The file is absent, no regular file, or cannot be read: the disk is at fault, not the package.
    case unreadable
    /// The checksum's algorithm is none of the seven, or this machine refuses it.
    case algorithm
    case size
    case checksum
    /// There is a key, and no signature that can be one.
    case noSignature
    /// The signature is not the key's owner's, or not of these bytes.
    case signature
    /// The public key cannot be used: the configuration is at fault.
    case key
  }

  public var code: Code
  /// A sentence for a person, without the file's path.
  public var message: String
  public var description: String { message }

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  static func unreadable(_ call: String, _ cause: CInt = errno) -> PackageFault {
    var words = [CChar](repeating: 0, count: 256)
    let known = strerror_r(cause, &words, words.count) == 0
    let text = String(decoding: words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return PackageFault(.unreadable, "the downloaded file cannot be read: \(call): \(known ? text : "error \(cause)")")
  }

  static let notRegular = PackageFault(.unreadable, "the downloaded file is no regular file")

  static func unavailable(_ algorithm: ChecksumAlgorithm) -> PackageFault {
    PackageFault(
      .algorithm,
      "this machine's OpenSSL refuses \(algorithm.rawValue): give the package a checksum by another algorithm")
  }

  static func unknown(_ name: String?) -> PackageFault {
    let known = ChecksumAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
    guard let name else { return PackageFault(.algorithm, "the checksum has no algorithm; known are \(known)") }
    return PackageFault(.algorithm, "the checksum's algorithm \"\(clipped(name))\" is unknown; known are \(known)")
  }

  static func size(_ size: Int64, expected: Int64) -> PackageFault {
    PackageFault(.size, "the package has \(size) bytes instead of \(expected): download it again")
  }

  static func checksum(_ algorithm: ChecksumAlgorithm, _ found: String, expected: String) -> PackageFault {
    PackageFault(
      .checksum,
      "the package's \(algorithm.rawValue) is \(found) instead of \(clipped(expected)): it was damaged on its way"
    )
  }

  static let noSignature = PackageFault(
    .noSignature, "the package has no signature, and only signed ones are installed here (public_key is set)")

  static func badSignature(_ what: String) -> PackageFault {
    PackageFault(.noSignature, "the package's signature \(what); expected base64 of an ed25519 signature")
  }

  static let signature = PackageFault(
    .signature, "the package's signature is not valid for the configured public_key: it is not installed")

  static func badKey(_ count: Int) -> PackageFault {
    PackageFault(.key, "public_key has \(count) bytes instead of \(Signature.keyLength)")
  }

  static let noSignatures = PackageFault(.key, "OpenSSL takes public_key for no ed25519 key")

  /// Characters of somebody else's text that a message repeats.
  private static let quoteLimit = 140

  private static func clipped(_ text: String) -> String {
    let line = String(text.map { $0.isASCII && !$0.isNewline && $0 >= " " && $0 != "\u{7F}" ? $0 : "?" })
    return line.count > quoteLimit ? line.prefix(quoteLimit) + "…" : line
  }
}
