/// The 1-wire masters of the board, and a conversion that all thermometers of one do at once.
///
/// Source: the kernel's Documentation/ABI/testing/sysfs-driver-w1_therm and drivers/w1/slaves/w1_therm.c: since Linux 5.8;
/// the write returns when the conversion is over; only the word and its line end, eight bytes, are taken; with several
/// masters one alone has the file.
struct W1Bus {
  static let directory = "/sys/bus/w1/devices"
  private static let masterPrefix = "w1_bus_master"
  private static let bulkFile = "therm_bulk_read"
  /// Masters that are looked at.
  private static let masterLimit = 16
  /// How long a conversion is waited for, ms: 750 with 12 bits by the datasheet, clones take somewhat longer.
  static let conversionLimit = 2000
  private static let conversionPause = 50

  private let files: any SysfsFiles
  /// Masters and devices.
  private let names: [String]

  /// - Throws: `.absent` without a master.
  init(_ files: any SysfsFiles) throws(DecodingFault) {
    self.files = files
    do throws(SysfsError) { names = try files.names(in: Self.directory) } catch {
      let fault = error.fault
      guard fault.code == .absent else { throw fault }
      throw DecodingFault(.absent, "\(fault.message): no 1-wire master's driver is loaded, such as w1-gpio")
    }
  }

  /// All thermometers, at most `SysfsLimits.values`.
  var thermometers: [W1ID] { Array(names.compactMap(W1ID.init).prefix(SysfsLimits.values)) }

  func has(_ id: W1ID) -> Bool { names.contains(id.name) }

  /// Has all of `ids` measure at once, master by master, where it has two or more of them.
  ///
  /// - Returns: Why a master could not be told; each device measures when it is read then.
  func convert(_ ids: [W1ID]) -> SysfsError? {
    var refusal: SysfsError?
    for master in names.filter({ $0.hasPrefix(Self.masterPrefix) }).prefix(Self.masterLimit) {
      guard let entries = try? files.names(in: "\(Self.directory)/\(master)"), entries.contains(Self.bulkFile) else {
        continue
      }
      let own = ids.filter { entries.contains($0.name) }
      let path = "\(Self.directory)/\(master)/\(Self.bulkFile)"
      if own.count > 1 {
        waitForConversion(path)
        do throws(SysfsError) {
          try files.write("trigger\n", to: path)
          waitForConversion(path)
          continue
        } catch { refusal = error }
      }
      forgetOldValues(of: own, path)
    }
    return refusal
  }

  /// Where another program, or another sensor of Baudgate, has had all measure and not read all: the next read of one would
  /// give what it measured then.
  private func forgetOldValues(of ids: [W1ID], _ path: String) {
    guard !ids.isEmpty, state(path) == "1" else { return }
    for id in ids { _ = try? files.contents(of: "\(Self.directory)/\(id.name)/w1_slave") }
  }

  /// Waits while a thermometer still measures, no longer than `conversionLimit`.
  private func waitForConversion(_ path: String) {
    for _ in 0..<Self.conversionLimit / Self.conversionPause {
      guard state(path) == "-1" else { return }
      files.pause(milliseconds: Self.conversionPause)
    }
  }

  /// `-1` while a thermometer measures, `1` when one has a value nobody has read, else `0`.
  private func state(_ path: String) -> String? {
    do throws(SysfsError) { return SysfsText.string(try files.contents(of: path)) } catch { return nil }
  }
}
