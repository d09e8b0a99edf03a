internal import Glibc

/// How many descriptors this process may have open: each connection is one.
public enum DescriptorLimit {
  /// Raises the limit in force to the one the system allows. Programs started later inherit it.
  ///
  /// - Returns: The limit from now on.
  /// - Throws: `SystemError`; the limit is what it was.
  ///
  /// Source: getrlimit(2), RLIMIT_NOFILE.
  @discardableResult
  public static func raise() throws(SystemError) -> UInt64 {
    var limit = try current()
    guard limit.rlim_cur < limit.rlim_max else { return UInt64(limit.rlim_cur) }
    limit.rlim_cur = limit.rlim_max
    try check("setrlimit") { setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
    return UInt64(try current().rlim_cur)
  }

  static func current() throws(SystemError) -> rlimit {
    var limit = rlimit()
    try check("getrlimit") { getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
    return limit
  }
}
