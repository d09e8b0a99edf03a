internal import YAML

/// A directory of numbered devices whose numbers may differ after each boot: `/sys/bus/iio/devices`, `/sys/class/hwmon`.
struct SysfsClass: Sendable {
  let directory: String
  /// What stands before the number.
  let prefix: String
  /// The file with a device's name.
  let nameFile: String
  /// Where a bus device, such as `/sys/bus/i2c/devices/1-0048`, has its own; `nil` for directly in it.
  let subdirectory: String?
  /// For messages, `IIO chip`.
  let noun: String
  /// What to write where a name fits several, a whole sentence part.
  let remedy: String

  /// Finds a device by its name, its label or a path.
  ///
  /// - Returns: Its directory.
  /// - Throws: `.absent`, `.ambiguous`, `.forbidden`, `.unreadable`.
  func find(_ chip: String, _ cycle: SysfsCycle) throws(DecodingFault) -> String {
    chip.hasPrefix("/") ? try find(at: chip, cycle) : try find(named: chip, cycle)
  }

  private func find(named name: String, _ cycle: SysfsCycle) throws(DecodingFault) -> String {
    var found: [String] = []
    var others: [String] = []
    for device in try devices(in: directory, cycle) {
      let known = cycle.text(in: "\(directory)/\(device)/\(nameFile)") ?? ""
      if known == name || cycle.text(in: "\(directory)/\(device)/label") == name {
        found.append(device)
      } else if !known.isEmpty {
        others.append(known)
      }
    }
    if found.count == 1 { return "\(directory)/\(found[0])" }
    guard found.isEmpty else { throw ambiguous("are called \(quoted(name))", found) }
    let rest = others.isEmpty ? "there is none at all; is its driver loaded?" : "there are \(listed(others))"
    throw DecodingFault(.absent, "no \(noun) is called \(quoted(name)): \(rest)")
  }

  /// A device's own directory, or that of the bus device it belongs to.
  private func find(at path: String, _ cycle: SysfsCycle) throws(DecodingFault) -> String {
    let last = path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...]
    if last.hasPrefix(prefix) {
      _ = try devices(in: path, cycle)
      return path
    }
    let place = subdirectory.map { "\(path)/\($0)" } ?? path
    let found = try devices(in: place, cycle)
    if found.count == 1 { return "\(place)/\(found[0])" }
    guard found.isEmpty else { throw ambiguous("belong to \(path)", found) }
    throw DecodingFault(.absent, "\(path) has no \(noun); is its driver loaded?")
  }

  /// The numbered devices of a directory.
  func devices(in place: String, _ cycle: SysfsCycle) throws(DecodingFault) -> [String] {
    do throws(SysfsError) {
      let names = try cycle.files.names(in: place)
      return Array(names.filter { $0.hasPrefix(prefix) }.prefix(SysfsLimits.values))
    } catch {
      let fault = error.fault
      guard fault.code == .absent else { throw fault }
      throw DecodingFault(.absent, "\(fault.message); is the \(noun) there, and its driver loaded?")
    }
  }

  private func ambiguous(_ what: String, _ found: [String]) -> DecodingFault {
    DecodingFault(.ambiguous, "\(found.count) \(noun)s \(what) (\(listed(found))); \(remedy)")
  }
}
