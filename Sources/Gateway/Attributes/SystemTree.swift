internal import CKernel
internal import EventLoop
internal import Glibc
internal import Queue
internal import Telemetry

/// The small files in which the kernel and the system tell about the machine. Every call may block.
struct SystemTree: Sendable {
  /// Bytes of an ordinary file that are read.
  static let textLimit = 4096

  /// What stands before `/proc`, `/sys` and `/etc`: nothing, or a test's directory.
  var root = ""

  /// A file's text up to its first NUL (device tree strings end with one), without control characters and white space
  /// around it.
  ///
  /// - Returns: `nil` where the file is missing, unreadable, empty or not UTF-8.
  func text(_ path: String, atMost limit: Int = SystemTree.textLimit) -> String? {
    guard let bytes = bytes(path, atMost: limit) else { return nil }
    guard let text = String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self) else { return nil }
    let trimmed = Self.trimmed(oneLine(text))
    return trimmed.isEmpty ? nil : trimmed
  }

  /// A file's lines; none where it cannot be read.
  func lines(_ path: String, atMost limit: Int) -> [Substring] {
    String(decoding: bytes(path, atMost: limit) ?? [], as: UTF8.self).split(separator: "\n")
  }

  /// Names in a directory, sorted; none where it cannot be read.
  func names(in directory: String) -> [String] {
    ((try? SystemFileSystem().list(root + directory)) ?? []).sorted()
  }

  func exists(_ path: String) -> Bool { access(root + path, F_OK) == 0 }

  private func bytes(_ path: String, atMost limit: Int) -> [UInt8]? {
    let file = bg_open(root + path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while bytes.count < limit {
      guard let count = try? check("read", { read(file, &chunk, chunk.count) }), count > 0 else { break }
      bytes += chunk.prefix(count)
    }
    return Array(bytes.prefix(limit))
  }

  static func trimmed(_ text: some StringProtocol) -> String {
    let start = text.drop { $0.isWhitespace }
    guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return String(start[...last])
  }
}

extension SystemTree {
  /// Bytes of `/proc/cpuinfo` that are read: a board's serial number stands behind all its processors.
  private static let processorsLimit = 256 << 10

  /// The board's serial number: from its device tree, `/proc/cpuinfo` or DMI.
  ///
  /// - Returns: `nil` where there is none, or one that every board of the kind has, such as `0` and `Default string`.
  var serialNumber: String? {
    let candidates = [
      text("/proc/device-tree/serial-number"),
      text("/sys/firmware/devicetree/base/serial-number"),
      lines("/proc/cpuinfo", atMost: Self.processorsLimit).last { $0.hasPrefix("Serial") }
        .flatMap { $0.split(separator: ":", maxSplits: 1).dropFirst().first.map(Self.trimmed) },
      text("/sys/class/dmi/id/product_serial"),
    ]
    return candidates.lazy.compactMap { $0 }.first(where: Self.tellsApart)
  }

  /// What firmware has where nobody filled in a number.
  private static let placeholders: Set<String> = [
    "default string", "to be filled by o.e.m.", "none", "not specified", "not applicable", "system serial number",
    "unknown", "n/a", "123456789", "0123456789",
  ]

  private static func tellsApart(_ serial: String) -> Bool {
    !serial.allSatisfy { $0 == "0" || $0.isWhitespace } && !placeholders.contains(serial.lowercased())
  }

  /// The board's model: from its device tree or DMI; `nil` without one.
  var model: String? {
    text("/proc/device-tree/model") ?? text("/sys/firmware/devicetree/base/model")
      ?? text("/sys/class/dmi/id/product_name")
  }

  /// The system's identity, machine-id(5): 32 lower-case hexadecimal digits. `nil` before it is set up.
  var machineID: String? {
    guard let id = text("/etc/machine-id"), id.utf8.count == 32, Self.isHexadecimal(id),
      id.contains(where: { $0 != "0" })
    else { return nil }
    return id
  }

  /// Lower-case digits only.
  private static func isHexadecimal(_ text: some StringProtocol) -> Bool {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// The hardware address of the first network adapter by name, twelve lower-case digits without colons.
  ///
  /// Only adapters with a device behind them and an address of their own count: bridges, VPNs and addresses drawn or set
  /// by software change. Source: the kernel's Documentation/ABI/testing/sysfs-class-net (`addr_assign_type` 0).
  var hardwareAddress: String? {
    for name in names(in: "/sys/class/net") {
      let directory = "/sys/class/net/\(name)"
      guard exists("\(directory)/device"), text("\(directory)/addr_assign_type") == "0",
        let address = text("\(directory)/address")?.lowercased()
      else { continue }
      let parts = address.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 6, parts.allSatisfy({ $0.utf8.count == 2 && Self.isHexadecimal($0) }),
        parts.contains(where: { $0 != "00" })
      else { continue }
      return parts.joined()
    }
    return nil
  }
}
