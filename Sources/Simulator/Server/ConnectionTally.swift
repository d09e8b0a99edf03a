internal import FlyingFox
internal import FlyingSocks
internal import Synchronization

/// Connections a ``DeviceServer`` has had.
public struct ConnectionCounts: Sendable, Hashable {
  /// Accepted over the server's life.
  public var accepted = 0
  public var open = 0
  /// The most that were open at a time.
  public var mostOpen = 0
}

/// Counts connections by what the HTTP package logs: it tells of them in no other way.
final class ConnectionTally: Logging, Sendable {
  private let state = Mutex(ConnectionCounts())

  var counts: ConnectionCounts { state.withLock { $0 } }

  func logInfo(_ info: @autoclosure () -> String) {
    let text = info()
    if text.hasSuffix(" open connection") {
      state.withLock { counts in
        counts.accepted += 1
        counts.open += 1
        counts.mostOpen = max(counts.mostOpen, counts.open)
      }
    } else if text.hasSuffix(" close connection") {
      state.withLock { $0.open -= 1 }
    }
  }

  func logDebug(_ debug: @autoclosure () -> String) {}
  func logWarning(_ warning: @autoclosure () -> String) {}
  func logError(_ error: @autoclosure () -> String) {}
  func logCritical(_ critical: @autoclosure () -> String) {}
}
