internal import Glibc

/// Which device a node stands for, whatever the node is called: its major and minor number.
///
/// Source: makedev(3); the kernel's Documentation/admin-guide/devices.txt.
public struct DeviceNumber: Sendable, Hashable, CustomStringConvertible {
  public var major: UInt32
  public var minor: UInt32

  public init(major: UInt32, minor: UInt32) {
    self.major = major
    self.minor = minor
  }

  /// Of a character device's node, links followed; `nil` for anything else and where nothing is. Asks the device nothing.
  public init?(ofNode path: String) {
    var status = stat()
    guard !path.utf8.contains(0), stat(path, &status) == 0 else { return nil }
    self.init(status)
  }

  /// Of an open character device; `nil` for anything else.
  init?(ofDescriptor descriptor: CInt) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    self.init(status)
  }

  private init?(_ status: stat) {
    guard status.st_mode & S_IFMT == S_IFCHR else { return nil }
    // Twelve bits of the major and eight of the minor have their old places; what has been added stands around them.
    let number = UInt64(status.st_rdev)
    major = UInt32(truncatingIfNeeded: number >> 8 & 0xFFF | number >> 32 & 0xFFFF_F000)
    minor = UInt32(truncatingIfNeeded: number & 0xFF | number >> 12 & 0xFFFF_FF00)
  }

  /// Reads sysfs' `dev`, `188:0`.
  init?(text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let major = UInt32(parts[0]), let minor = UInt32(parts[1]) else { return nil }
    self.init(major: major, minor: minor)
  }

  /// `188:0`
  public var description: String { "\(major):\(minor)" }
}
