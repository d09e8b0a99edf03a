internal import CCurl

extension FileHeaders {
  /// What tells this version of the file from others, for `If-Range`: a strong ETag, or a Last-Modified that lies at least
  /// a second before the answer; `nil` where there is neither.
  ///
  /// Source: RFC 9110, 8.8.2.2, 8.8.3 and 13.1.5.
  var validator: String? {
    if let etag, etag.hasPrefix("\""), etag.hasSuffix("\""), Self.canBeSent(etag), etag.utf8.count > 2 { return etag }
    guard let lastModified, let date, Self.canBeSent(lastModified) else { return nil }
    let (modified, now) = (curl_getdate(lastModified, nil), curl_getdate(date, nil))
    return modified >= 0 && now > modified ? lastModified : nil
  }

  /// Whether an answer with these headers is of the version the validator stands for; one that does not say, is.
  func agrees(with validator: String) -> Bool {
    if validator.hasPrefix("\"") { return etag.map { $0 == validator } ?? true }
    return lastModified.map { $0 == validator } ?? true
  }

  /// UTF-8 bytes of a validator that is kept.
  static let longestValidator = 256

  static func canBeSent(_ validator: String) -> Bool {
    validator.utf8.count <= longestValidator && validator.utf8.allSatisfy { (0x20..<0x7F).contains($0) }
  }
}
