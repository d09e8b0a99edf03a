import EventLoop
import Logging
import Synchronization
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// Time that passes only from one event to the next.
final class VirtualTime {
  private(set) var now = Duration.seconds(1000)
  private var events: [(time: Duration, order: Int, body: () -> Void)] = []
  private var count = 0

  func after(_ delay: Duration, _ body: @escaping () -> Void) { at(now + delay, body) }

  func at(_ time: Duration, _ body: @escaping () -> Void) {
    count += 1
    let event = (time: max(time, now), order: count, body: body)
    let index = events.firstIndex { ($0.time, $0.order) > (event.time, event.order) } ?? events.endIndex
    events.insert(event, at: index)
  }

  func run(until end: Duration) {
    while let next = events.first, next.time <= end {
      events.removeFirst()
      now = next.time
      next.body()
    }
    now = end
  }
}

/// Wakes one machine at its due time, however often that changes.
final class VirtualAlarm {
  private let time: VirtualTime
  private var set: Duration?
  init(_ time: VirtualTime) { self.time = time }

  func arm(_ due: Duration?, _ body: @escaping () -> Void) {
    guard due != set else { return }
    set = due
    guard let due else { return }
    time.at(due) { [self] in
      guard set == due else { return }
      set = nil
      body()
    }
  }
}

extension SplitMix {
  mutating func duration(_ range: ClosedRange<Int>) -> Duration { .milliseconds(Int.random(in: range, using: &self)) }
  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}

extension PollTiming {
  /// Some hundredths of the real thing, and no re-reading that would hide what a gap was missed by.
  static let quick: PollTiming = {
    var timing = PollTiming()
    timing.longest = .milliseconds(100)
    timing.lead = .milliseconds(20)
    timing.shortest = .milliseconds(40)
    timing.margin = .milliseconds(10)
    timing.spacing = .microseconds(500)
    timing.quickRetry = Backoff(first: .milliseconds(5), most: .milliseconds(20))
    timing.slowRetry = Backoff(first: .milliseconds(5), most: .milliseconds(20))
    timing.look = .milliseconds(20)
    timing.settle = .milliseconds(10)
    timing.longestSettle = .milliseconds(40)
    timing.patience = .milliseconds(200)
    timing.rereading = .seconds(3600)
    return timing
  }()
}

let silent = Logger(label: "downlink") { _ in SwiftLogNoOpLogHandler() }

extension DeviceAPIError {
  static let broken = DeviceAPIError(.unreachable, "cannot be reached: connection reset")
  static let overloaded = DeviceAPIError(.unavailable, "answered 503", status: 503)
  static let gatewayTimeout = DeviceAPIError(.unavailable, "answered 504", status: 504)
}

extension EventLoop {
  /// Lets the loop turn until `condition` holds; a failure when it does not come to.
  func eventually(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async -> Bool
  ) async throws {
    let end = Uptime.monotonic + .seconds(20)
    while await !condition() {
      guard Uptime.monotonic < end else {
        Issue.record("never: \(what)", sourceLocation: sourceLocation)
        return
      }
      try await sleep(for: .milliseconds(1), accuracy: .microseconds(100))
    }
  }
}

/// What was reported, from whatever closure.
final class Collected<Element: Sendable>: Sendable {
  private let elements = Mutex<[Element]>([])
  var all: [Element] { elements.withLock { $0 } }
  func append(_ element: Element) { elements.withLock { $0.append(element) } }
}
