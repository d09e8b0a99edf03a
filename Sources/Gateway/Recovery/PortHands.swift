internal import EventLoop
internal import Hardware
internal import Synchronization

/// What a ladder sees of a port and may do to it.
struct PortHands: Sendable {
  /// A port at one moment.
  struct Look: Sendable, Equatable {
    /// Received since the start.
    var bytes: UInt64
    /// Closed because somebody wants it so.
    var isStopped: Bool
  }

  /// Called on the loop.
  var look: @Sendable () -> Look
  var reopen: @Sendable () async -> StepResult
  var resetUSB: @Sendable () async -> StepResult
}

extension PortHands {
  /// How long a USB reset waits for the port to be closed: a driver that holds up its closing is what a reset is to free.
  private static let closeLimit = Duration.seconds(10)
  /// How often it looks meanwhile.
  private static let closeLook = Duration.milliseconds(50)

  /// - Parameters:
  ///   - loop: The port's.
  ///   - pool: Where sysfs is read and the device is reset.
  init(_ port: SerialPort, on loop: EventLoop, pool: BlockingPool) {
    self.init(port, on: loop, pool: pool, ResetFlag())
  }

  private final class ResetFlag: Sendable {
    let isSet = Atomic(false)
  }

  private init(_ port: SerialPort, on loop: EventLoop, pool: BlockingPool, _ resetting: ResetFlag) {
    look = {
      // Closed for its reset it is as silent as before.
      let isResetting = resetting.isSet.load(ordering: .relaxed)
      return port.assumeIsolated { Look(bytes: $0.bytesReceived, isStopped: $0.isStopped && !isResetting) }
    }
    reopen = {
      await port.reopen(because: "nothing came")
        ? .done : .skipped("the port is being opened or closed already; unplug the adapter where its driver is stuck")
    }
    resetUSB = {
      resetting.isSet.store(true, ordering: .relaxed)
      defer { resetting.isSet.store(false, ordering: .relaxed) }
      return await Self.resetUSB(of: port, on: loop, pool: pool)
    }
  }

  private struct Reason: Error { let words: String }

  /// By the node that is open, or by where the line would be found now: what had its name before may be another's.
  private static func device(of port: SerialPort, pool: BlockingPool) async -> Result<USBDevice, Reason> {
    let (open, location) = await (port.device, port.options.location)
    return await pool.run {
      do throws(PortError) {
        // Not with ??, which forgets the error's type.
        let node = if let open { open } else { try TTYInventory().node(of: location) }
        do throws(USBError) { return .success(try USBDevice(of: node)) } catch {
          return .failure(Reason(words: "\(error)"))
        }
      } catch { return .failure(Reason(words: "\(error)")) }
    }
  }

  /// Cancelled, it opens the port again without a reset.
  private static func resetUSB(of port: SerialPort, on loop: EventLoop, pool: BlockingPool) async -> StepResult {
    let device: USBDevice
    switch await Self.device(of: port, pool: pool) {
    case .success(let found): device = found
    case .failure(let reason): return .skipped(reason.words)
    }
    // Closed first, or the number of its line, ttyUSB0, would still be taken when it comes back.
    Task(executorPreference: loop) { await port.stop() }
    let end = Uptime.monotonic + closeLimit
    while await port.status.state != .closed, Uptime.monotonic < end, !Task.isCancelled {
      try? await loop.sleep(for: closeLook)
    }
    let result: StepResult
    if Task.isCancelled {
      result = .skipped("the gateway stopped")
    } else {
      do throws(USBError) {
        try await pool.run { () throws(USBError) in try device.reset() }
        result = .done
      } catch { result = .failed("\(error)") }
    }
    await port.start()
    return result
  }
}
