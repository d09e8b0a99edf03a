internal import EventLoop
internal import Telemetry

extension BusMachine {
  /// What somebody wants on the line.
  struct Exchange {
    enum Kind {
      case question(unit: Int, finder: any AnswerFinder)
      /// For all units; none answers.
      case broadcast
      /// Bytes for whoever listens. Over when the driver has them.
      case plain
    }

    let ticket: Ticket
    let bytes: [UInt8]
    let kind: Kind
    let traffic: BusTraffic
    /// `nil` for the bus's own.
    let timeout: Duration?
    /// Attempts that had no answer.
    var attempts = 0
    /// Where the last of them ended, if not one byte came after it.
    var unheardEnd: Duration?
    var isProbe = false

    init(_ request: BusRequest, ticket: Ticket, as traffic: BusTraffic, timeout: Duration?) {
      self.ticket = ticket
      bytes = request.bytes
      kind = request.finder.map { .question(unit: request.unit, finder: $0) } ?? .broadcast
      self.traffic = traffic
      self.timeout = timeout
    }

    init(plain bytes: [UInt8], ticket: Ticket) {
      self.ticket = ticket
      self.bytes = bytes
      kind = .plain
      traffic = .command
      timeout = nil
    }

    /// Whose answer is waited for.
    var unit: Int? { if case .question(let unit, _) = kind { unit } else { nil } }

    /// `unit 5`
    var whom: String { unit.map { "unit \($0)" } ?? "nobody in particular" }

    /// Why there was no answer, for people.
    func failure(on bus: String, _ attempt: Attempt) -> String {
      let times = attempts > 1 ? ", \(attempts) times in a row" : ""
      let complaint = attempt.finder.complaint ?? (attempt.isHeard ? "what came is no answer" : "nothing came")
      return "\(whom) on \(bus) did not answer within \(attempt.timeout.forHumans)\(times): \(complaint)"
    }

  }

  /// A question that was sent, until its answer is there or its time is over.
  struct Attempt {
    let exchange: Exchange
    let unit: Int
    /// This attempt's own.
    var finder: any AnswerFinder
    /// When the driver took it.
    let start: Duration
    /// When its last character is on the line, computed.
    let end: Duration
    let timeout: Duration
    /// Not even an answer that still comes is waited for any longer.
    let latest: Duration
    var isHeard = false
  }
}
