/// What the log should say of a unit.
enum BusNotice: Equatable {
  /// It was answering until now.
  case fellSilent(unit: Int, failure: String, askedAgainIn: Duration)
  case answersAgain(unit: Int, after: Duration)
  /// Bytes came when its time was over; told once, until the options change.
  case answersLate(unit: Int, timeout: Duration)
  /// Our own question came back, which no option had said; told once.
  case hearsItself
}
