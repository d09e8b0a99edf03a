internal import EventLoop
internal import Glibc

/// The package as the install command gets it: checked, and with a public key in a copy that only root can write.
///
/// Without a key the daemon's word for what a package is has to be taken anyway, and its own file is used: a copy would
/// take the space of another image.
enum PackageFile {
  /// Why a package is not installed, as a sentence.
  struct Refusal: Error, Equatable { var words: String }

  private static let chunkSize = 256 << 10

  /// - Parameters:
  ///   - updates: Where the daemon has put it.
  ///   - journal: Where a copy goes.
  /// - Returns: The path for the install command.
  static func prepare(
    _ name: String, _ claim: PackageClaim, in updates: borrowing GuardedDirectory, journal: borrowing GuardedDirectory,
    _ check: PackageClaim.Check
  ) throws(Refusal) -> String {
    let opened: (file: CInt, size: Int64)?
    do throws(SystemError) { opened = try updates.open(name) } catch {
      throw Refusal(words: "the package cannot be read: \(error)")
    }
    guard let opened else { throw Refusal(words: "\(updates.path)/\(name) is not there") }
    defer { close(opened.file) }
    guard opened.size == claim.size else {
      throw Refusal(words: "\(updates.path)/\(name) has \(opened.size) bytes, not the \(claim.size) requested")
    }
    var claim = claim
    claim.descriptor = opened.file
    guard claim.publicKey != nil else {
      try judge(claim, check)
      return "\(updates.path)/\(name)"
    }
    do throws(SystemError) { claim.descriptor = try copy(opened.file, claim.size, to: name, in: journal) } catch {
      try? journal.remove(name)
      throw Refusal(words: "the package cannot be copied to where only root may write: \(error)")
    }
    defer { close(claim.descriptor) }
    do throws(Refusal) { try judge(claim, check) } catch {
      try? journal.remove(name)
      throw error
    }
    return "\(journal.path)/\(name)"
  }

  private static func judge(_ claim: PackageClaim, _ check: PackageClaim.Check) throws(Refusal) {
    do { try check(claim) } catch { throw Refusal(words: "\(error)") }
  }

  /// Copies exactly `size` bytes; the other side may go on writing.
  ///
  /// - Returns: The copy, open for reading.
  private static func copy(
    _ source: CInt, _ size: Int64, to name: String, in journal: borrowing GuardedDirectory
  ) throws(SystemError) -> CInt {
    let target = try journal.create(name)
    do throws(SystemError) { try copy(source, size, to: target, "\(journal.path)/\(name)") } catch {
      close(target)
      throw error
    }
    lseek(target, 0, SEEK_SET)
    return target
  }

  private static func copy(_ source: CInt, _ size: Int64, to target: CInt, _ name: String) throws(SystemError) {
    var chunk = [UInt8](repeating: 0, count: chunkSize)
    var rest = size
    while rest > 0 {
      let wanted = Int(min(rest, Int64(chunkSize)))
      let count = try check("read \(name)") { Glibc.read(source, &chunk, wanted) }
      guard count > 0 else { throw SystemError("read \(name)", errno: EIO) }
      try GuardedDirectory.write(target, Array(chunk.prefix(count)), name)
      rest -= Int64(count)
    }
  }
}
