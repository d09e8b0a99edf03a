internal import Glibc

/// Whose a node is, and who may open it.
public struct NodeAccess: Sendable, Hashable {
  /// Who asks.
  public struct User: Sendable, Hashable {
    public var name: String
    public var id: UInt32
    public var groups: Set<UInt32>

    public init(name: String, id: UInt32, groups: Set<UInt32>) {
      self.name = name
      self.id = id
      self.groups = groups
    }
  }

  public var owner: UInt32
  public var group: UInt32
  /// The nine bits of chmod(1).
  public var mode: UInt32
  public var groupName: String

  public init(owner: UInt32, group: UInt32, mode: UInt32, groupName: String) {
    self.owner = owner
    self.group = group
    self.mode = mode
    self.groupName = groupName
  }

  /// Whether reading and writing are both allowed. Access control lists are not looked at.
  public func admits(_ user: User) -> Bool {
    if user.id == 0 { return true }
    let shift: UInt32 = user.id == owner ? 6 : user.groups.contains(group) ? 3 : 0
    return mode >> shift & 0o6 == 0o6
  }

  /// `nil` where nothing is at the path.
  init?(of path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    let name = getgrgid(status.st_gid).map { String(cString: $0.pointee.gr_name) } ?? "\(status.st_gid)"
    self.init(owner: status.st_uid, group: status.st_gid, mode: UInt32(status.st_mode) & 0o777, groupName: name)
  }
}

extension NodeAccess.User {
  /// Groups of a user that are looked at.
  private static let groupLimit: CInt = 256

  /// The user this process runs as; for root the daemon's, where there is one, since root may open all.
  static func deciding() -> NodeAccess.User? {
    let id = geteuid()
    if id != 0 { return getpwuid(id).flatMap { of($0.pointee, process: true) } }
    return getpwnam("baudgate").flatMap { of($0.pointee, process: false) }
  }

  private static func of(_ entry: passwd, process: Bool) -> NodeAccess.User {
    var groups = [gid_t](repeating: 0, count: Int(groupLimit))
    var count = groupLimit
    if process {
      count = max(0, getgroups(groupLimit, &groups))
    } else if getgrouplist(entry.pw_name, entry.pw_gid, &groups, &count) < 0 {
      count = groupLimit
    }
    let all = groups.prefix(Int(max(0, min(count, groupLimit)))) + [process ? getegid() : entry.pw_gid]
    return NodeAccess.User(name: String(cString: entry.pw_name), id: entry.pw_uid, groups: Set(all))
  }
}
