internal import CUdev

/// What udev's database has of a device, libudev(3).
struct UdevEntry: Sendable, Hashable {
  /// More than any rule sets.
  static let limit = 512

  var links: [String] = []
  var properties: [String: String] = [:]

  /// - Parameter directory: The device's own in sysfs.
  /// - Returns: `nil` where there is no such device. Without udevd it holds the properties of the kernel's `uevent`.
  @Sendable static func read(_ directory: String) -> UdevEntry? {
    guard let udev = udev_new() else { return nil }
    defer { udev_unref(udev) }
    guard let device = udev_device_new_from_syspath(udev, directory) else { return nil }
    defer { udev_device_unref(device) }
    var entry = UdevEntry()
    var link = udev_device_get_devlinks_list_entry(device)
    while let item = link, entry.links.count < limit {
      if let name = udev_list_entry_get_name(item) { entry.links.append(String(cString: name)) }
      link = udev_list_entry_get_next(item)
    }
    var property = udev_device_get_properties_list_entry(device)
    while let item = property, entry.properties.count < limit {
      if let name = udev_list_entry_get_name(item), let value = udev_list_entry_get_value(item) {
        entry.properties[String(cString: name)] = String(cString: value)
      }
      property = udev_list_entry_get_next(item)
    }
    return entry
  }
}
