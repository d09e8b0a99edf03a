internal import Integrity

/// Checks packages by the room `Integrity`.
struct PackageIntegrity: PackageVerifier {
  func objection(to package: UpdatePackage, publicKey: [UInt8]?) -> PackageObjection? {
    do throws(PackageFault) { try check(package, size: package.size, publicKey).prove() } catch {
      return .refused(error.message)
    }
    return nil
  }

  func verify(path: String, _ package: UpdatePackage, size: Int64, publicKey: [UInt8]?) throws(PackageObjection) {
    do throws(PackageFault) { try check(package, size: size, publicKey).verify(path: path) } catch {
      switch error.code {
      case .unreadable, .size, .checksum, .signature: throw .damaged(error.message)
      case .algorithm, .noSignature, .key: throw .refused(error.message)
      }
    }
  }

  private func check(_ package: UpdatePackage, size: Int64?, _ publicKey: [UInt8]?) -> PackageCheck {
    PackageCheck(
      size: size, checksum: package.checksum, algorithm: package.checksumAlgorithm, publicKey: publicKey,
      signature: package.signature)
  }
}
