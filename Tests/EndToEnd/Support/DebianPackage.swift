import Foundation

/// The real package, made by scripts/deb from the release binaries, in a version of the test's choosing.
enum DebianPackage {
  /// What stands before the version in the program's file, Sources/Telemetry/Version.swift.
  private static let mark = Data("Baudgate version ".utf8)

  private static var checkout: String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().path
  }

  /// Makes a package.
  ///
  /// - Parameters:
  ///   - lastDigit: Takes the place of the version's last character, so that it stays as long as it is.
  ///   - isBroken: Whether its daemon ends with 1 as soon as it is started.
  /// - Returns: The version and the file, in `scratch`.
  static func make(
    lastDigit: Character, isBroken: Bool = false, in scratch: Scratch
  ) throws -> (version: String, path: String) {
    let release = scratch.file("release-\(lastDigit)")
    try FileManager.default.createDirectory(atPath: release, withIntermediateDirectories: true)
    var version = ""
    for name in ["baudgated", "baudgate"] {
      let binary = "\(release)/\(name)"
      // Stripped first: fewer bytes to look through.
      let strip = try DaemonProcess.run(
        ["/usr/bin/strip", "-o", binary, "\(DaemonProcess.directory)/\(name)"])
      guard strip.status == 0 else { throw DaemonProcess.Failure("strip: \(strip.errors)") }
      version = try renumber(binary, lastDigit)
    }
    if isBroken {
      try "int main(void) { return 1; }".write(toFile: "\(release)/broken.c", atomically: false, encoding: .utf8)
      let build = try DaemonProcess.run(["/usr/bin/cc", "-o", "\(release)/baudgated", "\(release)/broken.c"])
      guard build.status == 0 else { throw DaemonProcess.Failure("cc: \(build.errors)") }
    }
    let build = try DaemonProcess.run(
      ["/bin/sh", "-c", "cd '\(checkout)' && exec scripts/deb \(version)"],
      environment: [
        "PATH": "/usr/bin:/bin", "RELEASE": release, "DIST": scratch.file("dist"),
        // A tenth of the time.
        "DPKG_DEB_COMPRESSOR_TYPE": "gzip", "DPKG_DEB_COMPRESSOR_LEVEL": "1",
      ])
    let files = (try? FileManager.default.contentsOfDirectory(atPath: scratch.file("dist"))) ?? []
    guard build.status == 0, let name = files.first(where: { $0.hasPrefix("baudgate_\(version)_") }) else {
      throw DaemonProcess.Failure("scripts/deb (\(build.status)): \(build.output)\(build.errors)")
    }
    return (version, scratch.file("dist/\(name)"))
  }

  private static func renumber(_ path: String, _ digit: Character) throws -> String {
    var program = try Data(contentsOf: URL(fileURLWithPath: path))
    guard let found = program.range(of: mark), let byte = digit.asciiValue,
      program.range(of: mark, in: found.upperBound..<program.endIndex) == nil,
      let end = program[found.upperBound...].firstIndex(of: 0), end - found.upperBound < 16
    else { throw DaemonProcess.Failure("\(path) does not hold its version exactly once") }
    program[end - 1] = byte
    try program.write(to: URL(fileURLWithPath: path))
    return String(decoding: program[found.upperBound..<end], as: UTF8.self)
  }
}
