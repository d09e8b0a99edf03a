internal import EventLoop
internal import Logging
internal import Queue
internal import Telemetry

/// Turns a device's samples into queue records: places them in time, leaves out what the server would damage, encodes.
///
/// One per device, since the rule "one key, one millisecond" holds per device.
actor Recorder {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let loop: EventLoop
  private let queue: TelemetryQueue
  private let log: Logger
  private var timestamper: Timestamper
  private var complained: Set<String> = []
  private var pending: [PendingRecord] = []

  /// Keys complained about by name; the rest is only counted.
  private static let complaintLimit = 1000

  struct Status: Sendable {
    /// Values left out because the server would store them as something else or lose them.
    var unsendable: UInt64 = 0
    /// Values replaced by a newer one of the same key in the same millisecond.
    var replaced: UInt64 = 0
  }
  private(set) var status = Status()

  /// - Parameter floor: The newest timestamp the queue holds from before, in milliseconds.
  init(on loop: EventLoop, queue: TelemetryQueue, floor: Int64?, log: Logger) {
    self.loop = loop
    self.queue = queue
    self.log = log
    timestamper = Timestamper(floor: floor)
  }

  /// Appends the samples to the queue with one write.
  ///
  /// - Returns: How many samples had a value to keep.
  @discardableResult
  func record(_ samples: [(sensor: Int, sample: Sample)]) -> Int {
    pending.removeAll(keepingCapacity: true)
    for (_, sample) in samples {
      var payload: [UInt8] = []
      payload.reserveCapacity(sample.readings.count * 32)
      let written = appendValues(sample.readings, to: &payload) { reading, reason in
        refuse(reading, reason)
      }
      guard written > 0 else { continue }
      let place = timestamper.place(
        sample.readings, at: sample.time.milliseconds, now: sample.time.milliseconds)
      status.replaced &+= UInt64(place.replaced)
      pending.append(
        PendingRecord(timestamp: place.timestamp, boottime: sample.time.boottime, payload: payload))
    }
    guard !pending.isEmpty else { return 0 }
    queue.assumeIsolated { [pending] in $0.append(pending) }
    return pending.count
  }

  private func refuse(_ reading: Reading, _ reason: UnsendableReason) {
    status.unsendable &+= 1
    guard complained.count < Self.complaintLimit, complained.insert(reading.key.name).inserted else { return }
    log.warning(
      """
      \(reading.key.name): \(reason), so the value is not sent; \
      further ones of this key are only counted (unsendable in `baudgate status`)
      """)
  }
}
