internal import EventLoop
internal import ThingsBoard

/// Decides what the uplink sends next and what a failure means, without a socket or a clock.
///
/// A poisoned batch is bisected down to the record at fault. An empty 500 is retried first, since it is the server's
/// word for a rate limit, too; when it persists the batch shrinks, and a single record is given up only once the
/// record behind it has been taken.
///
/// Source: contract.md §9.
struct UplinkStateMachine {
  /// Which records at the front of the queue the next request carries.
  struct Request: Equatable {
    var records: Int
    var bytes: Int
    /// Leaves the first record out, to learn whether only that one is refused.
    var isProbe = false
  }

  /// What the owner does after an answer.
  enum Action: Equatable {
    /// The request's records are the server's now.
    case acknowledge
    /// Sets the first record aside with these words and acknowledges it.
    case park(String)
    /// The next request, at once.
    case again
    /// The next request after this time.
    case wait(Duration)
  }

  /// Empty 500s in a row before the batch is taken for the reason.
  static let patience = 3
  /// How often the record behind it must have been taken, and the first one refused again, before that is given up.
  static let proofs = 3
  /// Records parked in a row at full speed; after that something larger is wrong than a record.
  static let parkBurst = 5
  /// A body below this is never the reason for a 413.
  static let smallestByteLimit = 256
  /// Retries where somebody has to change something first.
  static let slowRetry = Backoff(first: .seconds(30), most: .seconds(300))
  /// Retries where time may heal.
  static let quickRetry = Backoff(first: .seconds(1), most: .seconds(60))
  /// The longest a server may ask to be left alone.
  static let retryAfterLimit = Duration.seconds(3600)

  private var maxRecords: Int
  private var maxBytes: Int
  private var recordLimit: Int
  private var byteLimit: Int
  /// How many records at the front of the queue hold the one at fault, where that much is known.
  private var suspects: Int?
  private var emptyErrors = 0
  private var parkedInARow = 0
  private var isProbing = false
  private var proofsSoFar = 0
  private var quick = UplinkStateMachine.quickRetry
  private var slow = UplinkStateMachine.slowRetry

  /// - Parameters:
  ///   - maxRecords: `upload.max_batch`.
  ///   - maxBytes: `upload.max_bytes`.
  init(maxRecords: Int, maxBytes: Int) {
    self.maxRecords = max(1, maxRecords)
    recordLimit = self.maxRecords
    self.maxBytes = maxBytes
    byteLimit = maxBytes
  }

  /// Takes other limits, from the next request on. What the server has been found not to take stays known.
  mutating func use(maxRecords: Int, maxBytes: Int) {
    let records = max(1, maxRecords)
    recordLimit = recordLimit == self.maxRecords ? records : min(recordLimit, records)
    byteLimit = byteLimit == self.maxBytes ? maxBytes : min(byteLimit, maxBytes)
    self.maxRecords = records
    self.maxBytes = maxBytes
  }

  /// The largest body the server has been found to take.
  var currentByteLimit: Int { byteLimit }

  func nextRequest() -> Request {
    if isProbing { return Request(records: 1, bytes: byteLimit, isProbe: true) }
    return Request(records: suspects.map { min(maxRecords, max(1, $0 / 2)) } ?? recordLimit, bytes: byteLimit)
  }

  mutating func succeeded(_ request: Request, records: Int) -> Action {
    quick.reset()
    slow.reset()
    emptyErrors = 0
    if request.isProbe {
      isProbing = false
      proofsSoFar += 1
      return .again
    }
    parkedInARow = 0
    proofsSoFar = 0
    if let known = suspects { suspects = known > records ? known - records : nil }
    recordLimit = min(maxRecords, recordLimit * 2)
    return .acknowledge
  }

  mutating func failed(
    _ error: DeviceAPIError, _ request: Request, records: Int, bytes: Int,
    using generator: inout some RandomNumberGenerator
  ) -> Action {
    if error.code != .serverError { emptyErrors = 0 }
    switch error.code {
    case .poison:
      return narrow(to: records, request, words: error.message, using: &generator)
    case .tooLarge:
      // Halving must come to an end: below this it is no limit of size, and nothing sent at once would help.
      guard bytes > Self.smallestByteLimit else {
        isProbing = false
        return .wait(delay(error, slow.next(using: &generator)))
      }
      if records == 1 { return narrow(to: 1, request, words: error.message, using: &generator) }
      byteLimit = max(Self.smallestByteLimit, min(byteLimit, bytes) / 2)
      return .again
    case .serverError:
      return emptyError(request, records: records, error, using: &generator)
    case .unavailable, .unreachable, .noAnswer, .cancelled:
      isProbing = false
      return .wait(delay(error, quick.next(using: &generator)))
    case .unauthorized, .deviceDeleted, .notFound, .redirected, .notThingsBoard, .certificate, .unsupported:
      isProbing = false
      return .wait(delay(error, slow.next(using: &generator)))
    }
  }

  /// What the owner does after `park` has been carried out.
  mutating func parked(using generator: inout some RandomNumberGenerator) -> Action {
    parkedInARow > Self.parkBurst ? .wait(quick.next(using: &generator)) : .again
  }

  /// No record behind the first one: nothing can be learned yet.
  mutating func probeHadNothingToSend(using generator: inout some RandomNumberGenerator) -> Action {
    isProbing = false
    return .wait(quick.next(using: &generator))
  }

  private mutating func narrow(
    to records: Int, _ request: Request, words: String, using generator: inout some RandomNumberGenerator
  ) -> Action {
    if request.isProbe {
      // The second record is refused by its own fault; the first has not been judged.
      isProbing = false
      return .wait(quick.next(using: &generator))
    }
    guard records > 1 else {
      suspects = nil
      return park(words)
    }
    suspects = records
    return .again
  }

  private mutating func park(_ words: String) -> Action {
    parkedInARow += 1
    proofsSoFar = 0
    emptyErrors = 0
    recordLimit = maxRecords
    return .park(words)
  }

  private mutating func emptyError(
    _ request: Request, records: Int, _ error: DeviceAPIError, using generator: inout some RandomNumberGenerator
  ) -> Action {
    let wait = Action.wait(delay(error, quick.next(using: &generator)))
    if request.isProbe {
      // The record behind it fails as well: it is the server.
      isProbing = false
      emptyErrors = 0
      proofsSoFar = 0
      return wait
    }
    emptyErrors += 1
    if records == 1 && proofsSoFar >= Self.proofs {
      return park("an empty 500 each time, while the record behind it was taken")
    }
    guard emptyErrors >= Self.patience || proofsSoFar > 0 else { return wait }
    if records > 1 {
      recordLimit = max(1, records / 2)
      suspects = nil
    } else {
      isProbing = true
    }
    return wait
  }

  private func delay(_ error: DeviceAPIError, _ backoff: Duration) -> Duration {
    max(backoff, min(error.retryAfter ?? .zero, Self.retryAfterLimit))
  }
}
