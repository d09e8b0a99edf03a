import Glibc
import Testing

@testable import Integrity

@Suite struct PackageCheckTests {
  /// RFC 8032, 7.1, tests 1 (empty), 2 (one byte) and 3 (two bytes).
  struct Vector: Sendable {
    var key, message, signature: String
  }
  static let vectors = [
    Vector(
      key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", message: "",
      signature: "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        + "d25bf5f0595bbe24655141438e7a100b"),
    Vector(
      key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", message: "72",
      signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        + "387b2eaeb4302aeeb00d291612bb0c00"),
    Vector(
      key: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", message: "af82",
      signature: "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        + "4a7c15e9716ed28dc027beceea1ec40a"),
  ]

  private func fault(_ check: PackageCheck, _ file: ScratchFile) -> PackageFault? {
    do throws(PackageFault) {
      try check.verify(path: file.path)
      return nil
    } catch { return error }
  }

  @Test func theRightFilePasses() {
    let file = ScratchFile(Array("abc".utf8))
    #expect(fault(PackageCheck(size: 3, checksum: "c2412435", algorithm: "CRC32"), file) == nil)
    #expect(fault(PackageCheck(size: 3, checksum: " C2412435\n", algorithm: "crc-32"), file) == nil)
    #expect(fault(PackageCheck(), file) == nil)
  }

  @Test func aFileOfManyReadsPasses() throws {
    let content = (0..<1_234_567).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
    var checksum = try Checksum(.murmur3_128)
    checksum.update(content)
    let check = PackageCheck(size: 1_234_567, checksum: checksum.finish(), algorithm: "MURMUR3_128")
    #expect(fault(check, ScratchFile(content)) == nil)
  }

  @Test func whatIsWrongIsSaidWithBothValues() {
    let file = ScratchFile(Array("abc".utf8))
    let size = fault(PackageCheck(size: 4, checksum: "c2412435", algorithm: "CRC32"), file)
    #expect(size?.code == .size)
    #expect(size?.message.contains("3 bytes instead of 4") == true)
    let sum = fault(PackageCheck(size: 3, checksum: "352441c2", algorithm: "CRC32"), file)
    #expect(sum?.code == .checksum)
    #expect(sum?.message.contains("c2412435 instead of 352441c2") == true)
    #expect(fault(PackageCheck(checksum: "", algorithm: "CRC32"), file)?.code == .checksum)
    let unknown = fault(PackageCheck(checksum: "x", algorithm: "SHA\n1"), file)
    #expect(unknown?.code == .algorithm)
    #expect(unknown?.message.contains("\"SHA?1\" is unknown; known are MD5, SHA256") == true)
    #expect(fault(PackageCheck(checksum: "x"), file)?.code == .algorithm)
  }

  @Test func whatIsNoFileIsUnreadable() {
    let file = ScratchFile([])
    let link = file.path + ".link"
    symlink(file.path, link)
    defer { unlink(link) }
    for path in [file.path + ".absent", "/tmp", "/dev/null", link] {
      #expect(throws: PackageFault.self) { try PackageCheck().verify(path: path) }
    }
  }

  @Test(arguments: vectors) func signaturesOfTheRFCAreValid(_ vector: Vector) {
    let file = ScratchFile(bytes(fromHex: vector.message))
    let signature = bytes(fromHex: vector.signature)
    let check = PackageCheck(publicKey: bytes(fromHex: vector.key), signature: base64(signature))
    #expect(fault(check, file) == nil)
    var other = check
    var changed = signature
    changed[0] ^= 1
    other.signature = base64(changed)
    #expect(fault(other, file)?.code == .signature)
    #expect(fault(check, ScratchFile([1, 2, 3]))?.code == .signature)
  }

  @Test func withAKeyASignatureIsNeeded() {
    let file = ScratchFile([])
    let key = bytes(fromHex: Self.vectors[0].key)
    func code(_ key: [UInt8], _ signature: String?) -> PackageFault.Code? {
      fault(PackageCheck(publicKey: key, signature: signature), file)?.code
    }
    #expect(code(key, nil) == .noSignature)
    #expect(code(key, "  ") == .noSignature)
    #expect(code(key, "not base64!") == .noSignature)
    #expect(code(key, base64([1, 2, 3])) == .noSignature)
    #expect(code([1, 2], base64(bytes(fromHex: Self.vectors[0].signature))) == .key)
    // Without a key nobody looks at one.
    #expect(fault(PackageCheck(signature: "not base64!"), file) == nil)
  }

  /// What would be a SIGBUS.
  @Test func aFileShorterThanItsMapIsAnError() throws {
    let file = ScratchFile([UInt8](repeating: 1, count: 100))
    let descriptor = open(file.path, O_RDONLY)
    defer { close(descriptor) }
    let key = bytes(fromHex: Self.vectors[0].key)
    let signature = bytes(fromHex: Self.vectors[0].signature)
    let error = #expect(throws: PackageFault.self) {
      try Signature.isValid(signature, by: key, of: descriptor, size: 1 << 20)
    }
    #expect(error?.code == .unreadable)
    // The process goes on, and so do signatures.
    #expect(try !Signature.isValid(signature, by: key, of: descriptor, size: 100))
  }

  @Test(arguments: [
    ("", ""), ("Zg==", "66"), ("Zg", "66"), ("Zm8=", "666f"), ("Zm9v", "666f6f"), (" Zm9v\n", "666f6f"),
    ("+/+/", "fbffbf"),
  ]) func base64IsRead(_ text: String, _ hex: String) {
    #expect(Base64.decoded(text) == bytes(fromHex: hex))
  }

  @Test(arguments: ["Z", "Zg=", "Zh==", "Zm9v=", "Zm 9v", "Zm-v", "====", "Zm9v====", "é"]) func othersAreNone(
    _ text: String
  ) {
    #expect(Base64.decoded(text) == nil)
  }
}
