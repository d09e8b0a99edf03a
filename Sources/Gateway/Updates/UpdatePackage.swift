internal import Telemetry
internal import ThingsBoard

/// What tells one assigned package from another, and may lie on the disk: no URL, which can hold a password.
struct UpdatePackage: Sendable, Equatable {
  /// Bytes of a title, a version, a checksum or a signature; ThingsBoard's own names have 255 characters.
  static let textLimit = 1024
  /// Stands for a URL nobody remembers: that of a package known by the installer's request alone.
  static let forgottenURL = "?"

  var title: String
  var version: String
  /// Bytes; `nil` where the assignment does not say it.
  var size: Int64?
  var checksum: String?
  var checksumAlgorithm: String?
  var signature: String?
  /// Of an external package: a fingerprint of its URL, or `forgottenURL`. `nil` for one the server has itself.
  var urlMark: String?

  init(title: String, version: String) {
    self.title = title
    self.version = version
  }

  init(_ assignment: PackageAssignment) {
    self.init(title: assignment.title, version: assignment.version)
    size = assignment.size
    checksum = assignment.checksum
    checksumAlgorithm = assignment.checksumAlgorithm
    signature = assignment.signature
    urlMark = assignment.url.map { url in
      var digest = Fingerprint()
      for byte in url.reveal().utf8 { digest.combine(byte: byte) }
      return String(digest.value, radix: 16)
    }
  }

  /// Whether both are one assignment: title, version, checksum, URL and signature agree byte for byte. A tag or a size
  /// that is another makes no other package.
  func isSame(as other: UpdatePackage) -> Bool {
    func agree(_ first: String?, _ second: String?) -> Bool {
      guard let first, let second else { return first == nil && second == nil }
      return first.utf8.elementsEqual(second.utf8)
    }
    let isForgotten = urlMark == Self.forgottenURL || other.urlMark == Self.forgottenURL
    return agree(title, other.title) && agree(version, other.version) && agree(checksum, other.checksum)
      && agree(checksumAlgorithm, other.checksumAlgorithm) && agree(signature, other.signature)
      && (isForgotten || agree(urlMark, other.urlMark))
  }

  /// `"title" version 1.2`, for a log line.
  var name: String { "\(quoted(title.utf8)) version \(quoted(version.utf8))" }

  /// Whether the installer takes its texts: they go into an environment and a log.
  var isPlain: Bool {
    [title, version, checksum, checksumAlgorithm, signature].allSatisfy { text in
      guard let text else { return true }
      return !text.isEmpty && text.utf8.count <= Self.textLimit && oneLine(text) == text
    }
  }
}

// MARK: - JSON
extension UpdatePackage {
  var json: JSON {
    var members: [JSON.Member] = [.init("title", .string(title)), .init("version", .string(version))]
    if let size { members.append(.init("size", .integer(size))) }
    for (name, text) in [
      ("checksum", checksum), ("checksum_algorithm", checksumAlgorithm), ("signature", signature), ("url", urlMark),
    ] {
      if let text { members.append(.init(name, .string(text))) }
    }
    return .object(members)
  }

  /// - Returns: `nil` for what is none.
  init?(_ json: JSON) {
    guard let title = json.text("title"), let version = json.text("version") else { return nil }
    self.init(title: title, version: version)
    if case .integer(let bytes) = json["size"] { size = bytes }
    checksum = json.text("checksum")
    checksumAlgorithm = json.text("checksum_algorithm")
    signature = json.text("signature")
    urlMark = json.text("url")
  }
}

extension JSON {
  /// The member's text; `nil` for anything else.
  func text(_ name: String) -> String? {
    if case .string(let text) = self[name] { text } else { nil }
  }

  /// The member's number, where it is not negative; `nil` for anything else.
  func number(_ name: String) -> Int64? {
    if case .integer(let number) = self[name], number >= 0 { number } else { nil }
  }
}
