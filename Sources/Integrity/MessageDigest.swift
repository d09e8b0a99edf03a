internal import CCrypto

/// One of OpenSSL's digests under way. Source: EVP_DigestInit(3).
final class MessageDigest {
  private let context: OpaquePointer
  /// Taken of a digest that OpenSSL stopped computing: it matches none.
  private var hasFailed = false

  init(_ algorithm: ChecksumAlgorithm) throws(PackageFault) {
    let kind =
      switch algorithm {
      case .md5: EVP_md5()
      case .sha384: EVP_sha384()
      case .sha512: EVP_sha512()
      default: EVP_sha256()
      }
    guard let context = EVP_MD_CTX_new() else { throw .unavailable(algorithm) }
    guard EVP_DigestInit_ex(context, kind, nil) == 1 else {
      EVP_MD_CTX_free(context)
      ERR_clear_error()
      throw .unavailable(algorithm)
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  func update(_ bytes: UnsafeRawBufferPointer) {
    if EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) != 1 { hasFailed = true }
  }

  /// - Returns: The digest, once; empty where OpenSSL has failed.
  func finish() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var count: CUnsignedInt = 0
    guard !hasFailed, EVP_DigestFinal_ex(context, &bytes, &count) == 1 else { return [] }
    return Array(bytes.prefix(Int(count)))
  }
}
