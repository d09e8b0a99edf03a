internal import Glibc

/// What a package file has to be before it may be installed: used by who has downloaded it and by who installs it.
public struct PackageCheck: Sendable, Equatable {
  /// Bytes; `nil` where nobody has said how many.
  public var size: Int64?
  /// In hex, as ThingsBoard gives it; `nil` where it gives none.
  public var checksum: String?
  /// The name of the checksum's algorithm as the server spells it.
  public var algorithm: String?
  /// The 32 bytes of an ed25519 key; `nil` where packages need no signature.
  public var publicKey: [UInt8]?
  /// Base64 of the detached signature; looked at only where there is a key.
  public var signature: String?

  public init(
    size: Int64? = nil, checksum: String? = nil, algorithm: String? = nil, publicKey: [UInt8]? = nil,
    signature: String? = nil
  ) {
    self.size = size
    self.checksum = checksum
    self.algorithm = algorithm
    self.publicKey = publicKey
    self.signature = signature
  }

  /// Bytes read from the file at once.
  private static let readSize = 256 << 10

  /// What can be told before the first byte is downloaded: whether the algorithm is known, and a signature there where one
  /// is needed.
  ///
  /// - Throws: `PackageFault`.
  public func prove() throws(PackageFault) {
    if checksum != nil { _ = try knownAlgorithm() }
    _ = try neededSignature()
  }

  /// Checks the file: size, checksum, signature. Blocks for as long as reading it twice takes.
  ///
  /// - Throws: `PackageFault`.
  public func verify(path: String) throws(PackageFault) {
    try prove()
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { throw .unreadable("open") }
    defer { close(descriptor) }
    try verify(descriptor: descriptor)
  }

  /// The same of an open file, from its beginning.
  public func verify(descriptor: CInt) throws(PackageFault) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .unreadable("fstat") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular }
    let found = Int64(status.st_size)
    if let size, size != found { throw .size(found, expected: size) }
    if let checksum {
      let algorithm = try knownAlgorithm()
      let sum = try Self.sum(of: descriptor, size: found, algorithm)
      guard sum == Self.normal(checksum) else { throw .checksum(algorithm, sum, expected: checksum) }
    }
    if let publicKey, let signature = try neededSignature() {
      guard let count = Int(exactly: found) else { throw .unreadable("mmap", EFBIG) }
      guard try Signature.isValid(signature, by: publicKey, of: descriptor, size: count) else { throw .signature }
    }
  }

  private func knownAlgorithm() throws(PackageFault) -> ChecksumAlgorithm {
    guard let algorithm, let known = ChecksumAlgorithm(named: algorithm) else { throw .unknown(algorithm) }
    return known
  }

  /// - Returns: `nil` where none is needed.
  private func neededSignature() throws(PackageFault) -> [UInt8]? {
    guard let publicKey else { return nil }
    guard publicKey.count == Signature.keyLength else { throw .badKey(publicKey.count) }
    guard let signature, !Self.normal(signature).isEmpty else { throw .noSignature }
    guard let bytes = Base64.decoded(signature) else { throw .badSignature("is not base64") }
    guard bytes.count == Signature.length else {
      throw .badSignature("has \(bytes.count) bytes instead of \(Signature.length)")
    }
    return bytes
  }

  private static func normal(_ text: String) -> String {
    var text = text[...]
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return text.drop { $0.isWhitespace }.lowercased()
  }

  /// - Throws: `PackageFault`, also where the file has become shorter meanwhile.
  private static func sum(
    of descriptor: CInt, size: Int64, _ algorithm: ChecksumAlgorithm
  ) throws(PackageFault) -> String {
    var checksum = try Checksum(algorithm)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: readSize, alignment: 16)
    defer { buffer.deallocate() }
    var offset: Int64 = 0
    while offset < size {
      guard let position = off_t(exactly: offset) else { throw .unreadable("read", EFBIG) }
      let count = pread(descriptor, buffer.baseAddress, buffer.count, position)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .unreadable("read") }
      guard count > 0 else { throw .size(offset, expected: size) }
      checksum.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
      offset += Int64(count)
    }
    return checksum.finish()
  }
}
