/// One unit of a bus at one moment, for `baudgate status`. The counts begin with the bus.
public struct BusUnitStatus: Sendable, Hashable {
  public var unit: Int
  /// Questions, each counted once, however often it was sent.
  public var asked: UInt64 = 0
  public var answered: UInt64 = 0
  /// Attempts without an answer.
  public var timeouts: UInt64 = 0
  /// Attempts after a question's first.
  public var retries: UInt64 = 0
  /// How often something came after the time-out: `timeout` is too short for it.
  public var late: UInt64 = 0
  /// The longest it took for an answer, from the computed end of the question to the answer's last byte.
  public var longestAnswer = Duration.zero
  /// How long it has not answered; `nil` while it does.
  public var silentFor: Duration?
  /// How long it will not be polled; `nil` while it may be.
  public var setAsideFor: Duration?
  /// Why a question last had no answer, even if all is well by now.
  public var lastFailure: String?

  public init(unit: Int) { self.unit = unit }
}
