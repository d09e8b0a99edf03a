internal import Sensors

/// The sensors of a bus that are asked, each at its interval. Used on the loop, by one actor.
struct BusPolls {
  private var options: [SensorOptions] = []
  var polls: [any SensorPoll] = []
  var times: [PollTimes] = []
  /// How long one answer may take; `nil` for the port's own time-out.
  private(set) var timeouts: [Duration?] = []
  /// Who waits for the end of a sensor's cycle.
  private var waiting: [Int: [CheckedContinuation<Void, Never>]] = [:]
  /// Counts the changes: an answer to a question from before one is no news.
  private(set) var generation = 0

  /// Takes other sensors. One whose options are the same keeps its times, and what was learnt about its unit.
  mutating func use(_ sensors: [SensorOptions], at now: Duration) {
    let before = (options: options, polls: polls, times: times)
    endAll()
    (polls, times, timeouts, options) = ([], [], [], sensors)
    for sensor in sensors {
      let known = before.options.firstIndex(of: sensor)
      guard let poll = known.map({ before.polls[$0] }) ?? SensorProtocols.poll(of: sensor) else { continue }
      polls.append(poll)
      let interval = sensor.interval ?? SensorOptions.defaultInterval
      let last = known.map { before.times[$0] }
      times.append(
        PollTimes(every: interval, first: last?.due ?? now, isOwed: last.map { $0.isOwed || $0.isUnderWay } ?? false))
      timeouts.append((sensor.settings as? any PolledSettings)?.timeout)
    }
  }

  /// When the next cycle is due; `nil` without a sensor.
  var due: Duration? { times.lazy.map(\.due).min() }

  mutating func wait(for index: Int, _ continuation: CheckedContinuation<Void, Never>) {
    waiting[index, default: []].append(continuation)
  }

  mutating func ended(_ index: Int) {
    times[index].ended()
    for continuation in waiting.removeValue(forKey: index) ?? [] { continuation.resume() }
  }

  /// The port is not open; who waits is told.
  mutating func putOff(_ index: Int) {
    ended(index)
    times[index].putOff()
  }

  /// Nothing that is under way counts any more.
  mutating func endAll() {
    generation += 1
    for index in times.indices { times[index].ended() }
    let waiting = waiting.values
    self.waiting = [:]
    for continuation in waiting.joined() { continuation.resume() }
  }
}
