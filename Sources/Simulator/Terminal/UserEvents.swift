internal import Dispatch
internal import Foundation

/// What a person, or whoever sends signals, wants.
public enum UserEvent: Sendable, Hashable {
  case key(Character)
  /// SIGINT, SIGTERM or SIGHUP.
  case stop
  /// Time has passed: look again.
  case tick
}

/// Keys, signals and time as one stream, as long as it is held.
public final class UserEvents {
  public let events: AsyncStream<UserEvent>
  private let continuation: AsyncStream<UserEvent>.Continuation
  private var sources: [any DispatchSourceProtocol] = []

  /// - Parameters:
  ///   - interval: Between ticks.
  ///   - readsKeys: Whether stdin is a terminal to be read.
  public init(tickEvery interval: Duration, readsKeys: Bool) {
    (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(100))
    let queue = DispatchQueue(label: "events")
    let continuation = continuation
    for number in [SIGINT, SIGTERM, SIGHUP] {
      // The source sees it; the default action would end the process.
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { continuation.yield(.stop) }
      sources.append(source)
    }
    signal(SIGPIPE, SIG_IGN)
    let timer = DispatchSource.makeTimerSource(queue: queue)
    let seconds = Double(interval.components.seconds) + Double(interval.components.attoseconds) * 1e-18
    timer.schedule(deadline: .now() + seconds, repeating: seconds, leeway: .milliseconds(10))
    timer.setEventHandler { continuation.yield(.tick) }
    sources.append(timer)
    if readsKeys {
      let keys = DispatchSource.makeReadSource(fileDescriptor: STDIN_FILENO, queue: queue)
      keys.setEventHandler {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(STDIN_FILENO, &bytes, bytes.count)
        if count <= 0 { return keys.cancel() }
        for character in String(decoding: bytes.prefix(count), as: UTF8.self) { continuation.yield(.key(character)) }
      }
      sources.append(keys)
    }
    for source in sources { source.activate() }
  }

  deinit {
    for source in sources { source.cancel() }
    continuation.finish()
  }
}
