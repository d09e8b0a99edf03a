internal import CKernel
internal import EventLoop
internal import Glibc

/// Files that root makes in the state directory belong to whom the directory belongs to: `sudo baudgate provision`
/// before the service's first start must not leave a credential that the service's user cannot read.
///
/// Source: fchown(2).
enum StateOwner {
  /// Gives a new file of root's to the directory's owner and group. Nothing happens for other users.
  ///
  /// - Throws: `SystemError`; the file is of no use to the service then.
  static func give(_ file: CInt, in directory: String) throws(SystemError) {
    guard geteuid() == 0 else { return }
    var wanted = stat()
    var found = stat()
    try check("stat \(directory)") { stat(directory, &wanted) }
    try check("fstat") { fstat(file, &found) }
    // A file system without owners, such as vfat, shows one and the same and refuses the call.
    if wanted.st_uid == found.st_uid && wanted.st_gid == found.st_gid { return }
    try check("fchown") { fchown(file, wanted.st_uid, wanted.st_gid) }
  }
}
