import Foundation
import Telemetry

@testable import Sensors

/// A tree of plain files like the kernel's, below a fresh directory, that fails as drivers do where it is told to.
final class SysfsTree: SysfsFiles, @unchecked Sendable {
  // @unchecked: each test has its own and reads it on its own thread.
  let root: String
  private let files: KernelFiles
  /// What the next reads of a path give, before the file itself does again.
  private var scripts: [String: [Result<String, SysfsError>]] = [:]
  /// Error numbers of writes, for as long as they stand.
  private var refusals: [String: CInt] = [:]
  /// Called with each write that is let through.
  var onWrite: (SysfsTree, String, String) -> Void = { _, _, _ in }
  /// Called with each pause, ms.
  var onPause: (SysfsTree, Int) -> Void = { _, _ in }
  private(set) var reads: [String] = []
  private(set) var writes: [String] = []
  private(set) var pauses: [Int] = []

  init() throws {
    root = NSTemporaryDirectory() + "baudgate-sysfs-\(UUID().uuidString)"
    files = KernelFiles(root: root)
    try FileManager.default.createDirectory(atPath: root + "/sys", withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  // MARK: Making it

  /// Files below a directory of `/sys`, each with a line end behind its text.
  func put(_ directory: String, _ contents: [String: String]) throws {
    let place = "\(root)/sys/\(directory)"
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    for (name, text) in contents { try Data("\(text)\n".utf8).write(to: URL(fileURLWithPath: "\(place)/\(name)")) }
  }

  func link(_ path: String, to target: String) throws {
    let place = "\(root)/sys/\(path)"
    try FileManager.default.createDirectory(
      atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: target)
  }

  func move(_ path: String, to other: String) throws {
    try FileManager.default.moveItem(atPath: "\(root)/sys/\(path)", toPath: "\(root)/sys/\(other)")
  }

  func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: "\(root)/sys/\(path)") }

  /// The next reads of a file fail so, in order.
  func fail(_ path: String, _ errors: CInt...) {
    scripts["/sys/\(path)", default: []] += errors.map { .failure(SysfsError(path: "/sys/\(path)", errno: $0)) }
  }

  /// The next reads of a file give this, in order.
  func give(_ path: String, _ texts: String...) {
    scripts["/sys/\(path)", default: []] += texts.map { .success($0) }
  }

  func refuseWrites(_ path: String, _ errno: CInt?) { refusals["/sys/\(path)"] = errno }

  // MARK: SysfsFiles

  func contents(of path: String) throws(SysfsError) -> [UInt8] {
    reads.append(path)
    guard var script = scripts[path], !script.isEmpty else { return try files.contents(of: path) }
    let next = script.removeFirst()
    scripts[path] = script
    return Array(try next.get().utf8)
  }

  func write(_ text: String, to path: String) throws(SysfsError) {
    if let errno = refusals[path] { throw SysfsError(path: path, errno: errno) }
    writes.append("\(path) \(text)")
    onWrite(self, path, text)
  }

  func names(in directory: String) throws(SysfsError) -> [String] { try files.names(in: directory) }

  func pause(milliseconds: Int) {
    pauses.append(milliseconds)
    onPause(self, milliseconds)
  }
}

/// What one reading of a sensor gives.
func harvest(_ sensor: inout any FileSensor) -> (samples: [String], faults: [String]) {
  var output = DecoderOutput()
  sensor.read(as: 0, into: &output)
  let samples = output.samples.map { _, sample in
    sample.readings.map { reading in
      switch reading.value {
      case .double(let value): "\(reading.key.name)=\(value)"
      case .json(let value): "\(reading.key.name)=\(value.text)"
      default: "\(reading.key.name) of another type"
      }
    }.joined(separator: " ")
  }
  return (samples, output.faults.map { "\($0.fault.code.rawValue) \($0.fault.message)" })
}

/// A sensor named `s` from options such as `protocol: iio`, a line each, that reads `tree`.
func fileSensor(_ options: String, _ tree: SysfsTree) throws -> any FileSensor {
  let lines = options.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
  let (sensors, messages) = load("s:\n\(lines)")
  guard messages.isEmpty, let sensor = sensors.first else {
    throw Unusable(description: messages.joined(separator: "\n"))
  }
  switch sensor.settings {
  case let settings as W1Settings:
    return W1Sensor(settings: settings, naming: sensor.naming, document: sensor.document, files: tree)
  case let settings as IIOSettings: return IIOSensor(settings: settings, document: sensor.document, files: tree)
  case let settings as HwmonSettings: return HwmonSensor(settings: settings, document: sensor.document, files: tree)
  case let settings as ThermalSettings:
    return ThermalSensor(settings: settings, document: sensor.document, files: tree)
  default: throw Unusable(description: "\(sensor.protocolName) reads no files")
  }
}
