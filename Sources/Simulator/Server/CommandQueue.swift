/// The server-side RPC of one device, as the server's device actor keeps it in memory.
///
/// A value without a socket or a clock: polls are numbers, and what a step answers them with is returned. Source:
/// contract.md, section 4.
struct CommandQueue: Sendable {
  /// Outcomes kept for inspection, the newest; of earlier lives of the server as many again.
  static let recordLimit = 10_000

  struct Command: Sendable, Equatable {
    var id: Int64
    var method: String
    /// JSON.
    var params: String
    var isOneWay: Bool
    var isPersistent: Bool
    /// Nanoseconds of the monotonic clock.
    var expires: UInt64

    /// The body a poll is answered with.
    var text: String {
      let name = LiteralJSON.string(method).text
      return "{\"id\":\(id),\"method\":\(name),\"params\":\(params)}"
    }
  }

  private var nextID: Int64 = 0
  /// What waits for a poll or a reply, oldest first.
  private var pending: [Command] = []
  private var openPolls: [UInt64] = []
  /// Whether a poll that ended without a command has left its subscription behind.
  private var hasGhost = false
  private var outcomes: [Int64: CommandOutcome] = [:]
  private var former: [CommandOutcome] = []

  /// A new command: every open poll gets it; without one, a ghost swallows it; without either it waits.
  ///
  /// - Returns: The command with its number, and the polls it answers.
  mutating func send(
    _ method: String, params: String, isOneWay: Bool, isPersistent: Bool, expires: UInt64, at now: UInt64
  ) -> (command: Command, answers: [UInt64]) {
    dropExpired(at: now)
    let command = Command(
      id: nextID, method: method, params: params, isOneWay: isOneWay, isPersistent: isPersistent, expires: expires)
    nextID += 1
    let answers = openPolls
    var outcome = CommandOutcome(id: command.id, method: method, isOneWay: isOneWay, sentAt: now)
    outcome.handovers = answers.map { _ in now }
    outcome.wentToGhost = answers.isEmpty && hasGhost
    // A delivery ends every subscription, the forgotten ones too.
    openPolls = []
    hasGhost = false
    let isSent = !answers.isEmpty || outcome.wentToGhost
    if !isOneWay || !isSent { pending.append(command) }
    if let stray = outcomes[command.id] { remember(stray) }
    record(outcome)
    return (command, answers)
  }

  /// A poll opens: the first command that waits answers it at once.
  mutating func open(_ poll: UInt64, at now: UInt64) -> Command? {
    dropExpired(at: now)
    guard let command = pending.first else {
      openPolls.append(poll)
      return nil
    }
    if command.isOneWay { pending.removeFirst() }
    outcomes[command.id]?.handovers.append(now)
    return command
  }

  /// A poll ends without a command.
  mutating func end(_ poll: UInt64) {
    guard let index = openPolls.firstIndex(of: poll) else { return }
    openPolls.remove(at: index)
    hasGhost = true
  }

  /// A reply arrives, for whatever number.
  mutating func reply(_ text: String, to id: Int64, at now: UInt64) {
    dropExpired(at: now)
    let waiting = pending.firstIndex { $0.id == id }
    let isInTime = waiting.map { !pending[$0].isOneWay } ?? false
    if let waiting { pending.remove(at: waiting) }
    let reply = CommandReply(text: text, time: now, isInTime: isInTime)
    if outcomes[id] == nil { record(CommandOutcome(id: id, method: nil, isOneWay: false, sentAt: 0)) }
    outcomes[id]?.replies.append(reply)
  }

  /// The server restarts: numbers start again at 0 and what waited is forgotten, but for persistent commands, which get
  /// new numbers. Open polls stay subscribed, ghosts are gone.
  mutating func restart(at now: UInt64) {
    let persistent = pending.filter { $0.isPersistent && $0.expires > now }
    for outcome in outcomes.values.sorted(by: { $0.id < $1.id }) { remember(outcome) }
    outcomes = [:]
    pending = []
    nextID = 0
    hasGhost = false
    for var command in persistent {
      command.id = nextID
      nextID += 1
      pending.append(command)
      record(CommandOutcome(id: command.id, method: command.method, isOneWay: command.isOneWay, sentAt: now))
    }
  }

  /// The newest command of this number, or the replies to a number that was never given.
  func outcome(of id: Int64) -> CommandOutcome? { outcomes[id] ?? former.last { $0.id == id } }

  /// All outcomes kept, those of earlier lives of the server first.
  var history: [CommandOutcome] { former + outcomes.values.sorted { $0.id < $1.id } }

  /// Commands that wait for a poll or a reply.
  func pendingCount(at now: UInt64) -> Int { pending.count { $0.expires > now } }

  var openPollCount: Int { openPolls.count }

  private mutating func dropExpired(at now: UInt64) { pending.removeAll { $0.expires <= now } }

  private mutating func record(_ outcome: CommandOutcome) {
    outcomes[outcome.id] = outcome
    if outcomes.count > Self.recordLimit, let oldest = outcomes.keys.min() { outcomes[oldest] = nil }
  }

  private mutating func remember(_ outcome: CommandOutcome) {
    former.append(outcome)
    if former.count > Self.recordLimit { former.removeFirst(former.count - Self.recordLimit) }
  }
}
