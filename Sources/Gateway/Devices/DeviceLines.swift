internal import Hardware

/// The lines of one device: what belongs to others is not there for its commands.
struct DeviceLines: DigitalLines {
  let all: any DigitalLines
  /// As `gpio.lines.NAME.device` says it; `nil` for the gateway's own.
  let device: String?

  var lines: [GPIOLineOptions] { all.lines.filter { $0.device == device } }

  func value(of name: String) async throws(GPIOError) -> Bool {
    try check(name)
    return try await all.value(of: name)
  }

  func set(_ name: String, to value: Bool) async throws(GPIOError) -> Bool {
    try check(name)
    return try await all.set(name, to: value)
  }

  func pulse(_ name: String, for duration: Duration) async throws(GPIOError) {
    try check(name)
    try await all.pulse(name, for: duration)
  }

  private func check(_ name: String) throws(GPIOError) {
    guard !lines.contains(where: { $0.name == name }) else { return }
    throw GPIOError(.noSuchLine, "there is no line \"\(name)\" of this device")
  }
}
