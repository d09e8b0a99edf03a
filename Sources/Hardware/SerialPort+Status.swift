internal import EventLoop

// MARK: Status

extension SerialPort {
  /// The port as it is now; reads the driver's counters where it keeps any.
  public var status: PortStatus {
    countDriverErrors()
    return PortStatus(
      name: name, path: options.path, device: device, state: publicState, since: since, lastError: lastError,
      granted: granted,
      bytesReceived: bytesReceived, bytesSent: bytesSent, reopenCount: max(0, openCount - 1),
      driverErrors: driverErrors)
  }

  /// The node that is open, wherever it was found; `nil` while none is.
  public var device: String? { connection?.stream.granted.path }

  /// What messages call the line: its node while it is open.
  var place: String { device ?? options.path }

  /// Whether it is closed, or about to be, because it was never started or was stopped. Asks no driver.
  public var isStopped: Bool {
    switch machine.state {
    case .closed, .abandoned, .closing(then: .stay): true
    case .opening, .open, .closing, .waiting: false
    }
  }

  private var publicState: PortStatus.State {
    switch machine.state {
    case .closed, .abandoned: .closed
    case .opening: .opening
    case .open: .open
    case .closing: .closing
    case .waiting: .waiting(retryIn: max(.zero, (retryAt ?? .zero) - Uptime.monotonic))
    }
  }

  /// Adds what the driver counted since it was last asked.
  func countDriverErrors() {
    guard let connection, let before = connection.counters, let now = connection.stream.readCounters() else { return }
    connection.counters = now
    driverErrors?.add(from: before, to: now)
  }
}
