internal import EventLoop
internal import Telemetry

/// What the gateway tells the server about the machine it runs on, as client attributes.
///
/// The server takes text that looks like a number for one: a serial number of digits alone arrives as LONG.
struct BoardFacts: Sendable, Equatable {
  /// Baudgate's.
  var version = Version.current
  var model: String?
  var serialNumber: String?
  /// The kernel's release, uname(2).
  var kernel: String?
  /// When the machine started, milliseconds since 1970-01-01 UTC.
  var bootTime: Int64?

  /// Reads what does not change while the machine runs; may block.
  static func read(_ tree: SystemTree = SystemTree()) -> BoardFacts {
    BoardFacts(
      model: tree.model, serialNumber: tree.serialNumber, kernel: tree.text("/proc/sys/kernel/osrelease"),
      bootTime: nil)
  }

  /// One attribute for each fact that is known.
  var attributes: [Reading] {
    [
      ("baudgate_version", Value.string(version)),
      ("board_model", model.map(Value.string)),
      ("board_serial", serialNumber.map(Value.string)),
      ("kernel", kernel.map(Value.string)),
      ("boot_time", bootTime.map(Value.long)),
    ].compactMap { name, value in
      guard let value, let key = Key.cleaned(name) else { return nil }
      return Reading(key, value)
    }
  }
}

/// When the machine started, by the wall clock: computed anew only when that was set.
///
/// The two clocks drift apart by less than a second a day, which is no news to the server; a clock that is set for the
/// first time since a start without a battery is.
struct BootTime: Sendable {
  /// Steps of the wall clock up to this are drift.
  static let tolerance = Duration.seconds(10)

  /// Milliseconds since 1970-01-01 UTC; `nil` before the first `update`.
  private(set) var milliseconds: Int64?

  /// - Returns: The boot time where it is another than before.
  mutating func update(now: CaptureTime = .now()) -> Int64? {
    let (computed, overflow) = now.milliseconds.subtractingReportingOverflow(now.boottime)
    if overflow { return nil }
    if let milliseconds {
      let (step, overflow) = computed.subtractingReportingOverflow(milliseconds)
      if !overflow, step.magnitude <= UInt64(Self.tolerance.wholeMilliseconds) { return nil }
    }
    milliseconds = computed
    return computed
  }
}
