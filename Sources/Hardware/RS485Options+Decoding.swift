internal import YAML

extension RS485Options {
  /// The kernel cuts longer ones. Source: RS485_MAX_RTS_DELAY in drivers/tty/serial/serial_core.c.
  static let delayRange = Duration.zero ... .milliseconds(100)

  /// Reads `rs485`: `true`, or a mapping; `nil` where it is absent or wrong, which is reported.
  static func read(from reader: inout MappingReader) -> RS485Options? {
    guard let node = reader.node("rs485") else { return nil }
    switch node.value {
    case .scalar("true", isPlain: true): return RS485Options()
    case .mapping:
      guard var entry = MappingReader(node, path: reader.path(of: "rs485"), diagnostics: reader.diagnostics) else {
        return nil
      }
      return RS485Options(in: &entry)
    default:
      // Not `false`: a mode that the device tree has switched on would stay on.
      reader.mismatch(
        "rs485", expected: "true or keys such as {rts_on_send: true}; without rs485 the mode stays as it is")
      return nil
    }
  }

  private init?(in reader: inout MappingReader) {
    self.init()
    rtsOnSend = reader.boolean("rts_on_send") ?? rtsOnSend
    receivesOwn = reader.boolean("receive_own") ?? receivesOwn
    delayBefore = Self.delay("delay_before", &reader) ?? delayBefore
    delayAfter = Self.delay("delay_after", &reader) ?? delayAfter
    let hints = [
      "rx_during_tx": "the key is \"receive_own\"", "rts_after_send": "it is always the opposite of \"rts_on_send\"",
      "delay_rts_before_send": "the key is \"delay_before\"", "delay_rts_after_send": "the key is \"delay_after\"",
    ]
    guard reader.finish(hints: hints) else { return nil }
  }

  private static func delay(_ key: String, _ reader: inout MappingReader) -> Duration? {
    guard let delay = reader.duration(key, in: delayRange) else { return nil }
    if delay == .milliseconds(delay.wholeMilliseconds) { return delay }
    reader.mismatch(key, expected: "whole milliseconds, which is what the kernel knows")
    return nil
  }
}
