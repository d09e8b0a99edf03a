internal import CCrypto
internal import CKernel

/// A detached ed25519 signature over a whole file.
public enum Signature {
  /// Bytes of a public key and of a signature. RFC 8032, 5.1.
  public static let keyLength = 32
  public static let length = 64

  /// Whether `signature` is the one of the file's first `size` bytes by the key's owner. Blocks.
  ///
  /// Ed25519 wants the whole message at once, so the file is mapped: its pages take memory only while there is some to
  /// spare. A file that is truncated meanwhile, or a card that cannot read it, is an error and not the end of the process.
  /// Whoever can write to the file can change it after this: it has to be one nobody else writes to.
  /// - Parameters:
  ///   - descriptor: Open for reading; where it stands does not matter.
  /// - Throws: `PackageFault` where it cannot be told.
  public static func isValid(
    _ signature: [UInt8], by publicKey: [UInt8], of descriptor: CInt, size: Int
  ) throws(PackageFault) -> Bool {
    guard publicKey.count == keyLength else { throw .badKey(publicKey.count) }
    guard signature.count == length else { throw .badSignature("has \(signature.count) bytes instead of \(length)") }
    guard let verifier = Verifier(publicKey, signature) else { throw .noSignatures }
    let answer = bg_read_mapped(descriptor, size, messageIsMapped, Unmanaged.passUnretained(verifier).toOpaque())
    guard answer >= 0 else { throw .unreadable("mmap") }
    return answer == 1
  }
}

private final class Verifier {
  private let context: OpaquePointer
  private let signature: [UInt8]

  /// - Returns: `nil` where OpenSSL knows no ed25519, or takes the bytes for no key.
  init?(_ publicKey: [UInt8], _ signature: [UInt8]) {
    self.signature = signature
    guard let context = EVP_MD_CTX_new() else { return nil }
    self.context = context
    let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, publicKey, publicKey.count)
    defer { EVP_PKEY_free(key) }
    guard key != nil, EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else {
      ERR_clear_error()
      return nil
    }
  }

  deinit { EVP_MD_CTX_free(context) }

  /// - Returns: 1 for a valid signature, 0 for any other outcome.
  func verify(_ message: UnsafeRawBufferPointer) -> CInt {
    let bytes = message.bindMemory(to: UInt8.self)
    let isValid = EVP_DigestVerify(context, signature, signature.count, bytes.baseAddress, bytes.count) == 1
    // An invalid one leaves its reason in this thread's queue.
    ERR_clear_error()
    return isValid ? 1 : 0
  }
}

private func messageIsMapped(_ context: UnsafeMutableRawPointer?, _ bytes: UnsafeRawPointer?, _ count: Int) -> CInt {
  guard let context else { return 0 }
  return Unmanaged<Verifier>.fromOpaque(context).takeUnretainedValue()
    .verify(UnsafeRawBufferPointer(start: bytes, count: count))
}
