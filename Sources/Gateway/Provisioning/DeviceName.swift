internal import Glibc
internal import Telemetry

/// Fills in `device.name`: `greenhouse-{hostname}` becomes `greenhouse-pi4`.
enum DeviceName {
  /// UTF-16 units of the longest name the server stores.
  static let longest = 255

  /// - Parameters:
  ///   - template: `device.name` with its placeholders.
  ///   - tree: Where the machine tells about itself; reading may block.
  ///   - hostname: The kernel's name of this machine.
  /// - Returns: The name, without control characters, `<`, `>` and white space around it.
  /// - Throws: `DeviceNameError` where a placeholder has no value: with a hole in it two boards would share a name, and
  ///   so a device.
  static func expand(
    _ template: String, tree: SystemTree = SystemTree(), hostname: String? = DeviceName.hostname
  ) throws(DeviceNameError) -> String {
    var name = ""
    var rest = template[...]
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      name += rest[..<open]
      let placeholder = String(rest[rest.index(after: open)..<close])
      name += try value(of: placeholder, tree, hostname)
      rest = rest[rest.index(after: close)...]
    }
    name += rest
    let scalars = oneLine(name).unicodeScalars.filter { $0 != "<" && $0 != ">" }
    let clean = SystemTree.trimmed(String(String.UnicodeScalarView(scalars)))
    if clean.isEmpty { throw .empty }
    // Cutting it would cut what tells boards apart.
    guard clean.utf16.count <= longest else { throw .tooLong(clean.utf16.count) }
    return clean
  }

  private static func value(
    of placeholder: String, _ tree: SystemTree, _ hostname: String?
  ) throws(DeviceNameError) -> String {
    switch placeholder {
    case "hostname":
      guard let hostname, !["", "(none)", "localhost", "localhost.localdomain"].contains(hostname) else {
        throw .noHostname
      }
      return hostname
    case "machine_id":
      guard let id = tree.machineID else { throw .noMachineID }
      return id
    case "serial_number":
      guard let serial = tree.serialNumber else { throw .noSerialNumber }
      return serial
    case "mac":
      guard let address = tree.hardwareAddress else { throw .noHardwareAddress }
      return address
    default: throw .unknownPlaceholder(placeholder)
    }
  }

  /// The kernel's name of this machine, gethostname(2); `nil` where it is no text.
  static var hostname: String? {
    // HOST_NAME_MAX is 64.
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count) == 0 else { return nil }
    return String(validating: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// Why `device.name` could not be filled in.
enum DeviceNameError: Error, Sendable, Hashable, CustomStringConvertible {
  case noHostname
  case noMachineID
  case noSerialNumber
  case noHardwareAddress
  case unknownPlaceholder(String)
  case empty
  case tooLong(Int)

  /// What is missing and what to do.
  var description: String {
    switch self {
    case .noHostname:
      "device.name has {hostname}, and this machine has none of its own; set one with hostnamectl hostname NAME"
    case .noMachineID:
      "device.name has {machine_id}, and /etc/machine-id holds none; run systemd-machine-id-setup"
    case .noSerialNumber:
      """
      device.name has {serial_number}, and this board tells none (device tree, /proc/cpuinfo, DMI); use {machine_id} or \
      {mac} instead
      """
    case .noHardwareAddress:
      """
      device.name has {mac}, and no network adapter with an address of its own is there (yet); use {machine_id} or \
      {serial_number} where there is none
      """
    case .unknownPlaceholder(let name):
      "device.name has {\(name)}; known are {hostname}, {machine_id}, {serial_number} and {mac}"
    case .empty: "device.name is empty once its placeholders are filled in"
    case .tooLong(let count):
      "device.name has \(count) UTF-16 units once filled in, and the server takes \(DeviceName.longest); shorten it"
    }
  }
}
