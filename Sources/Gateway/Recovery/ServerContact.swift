internal import ThingsBoard

/// What the end of a request says of the way to the server.
enum ServerContact: Sendable, Equatable {
  /// ThingsBoard has answered, if only to refuse.
  case reached
  /// It has not: nobody answered, or something between.
  case unreached(DeviceAPIError.Code)

  /// - Returns: `nil` where a failure says nothing, one way or the other.
  init?(_ error: DeviceAPIError) {
    switch error.code {
    case .poison, .tooLarge, .unauthorized, .deviceDeleted, .noAnswer: self = .reached
    // A rate limit is the server's own word.
    case .unavailable where error.status == 429: self = .reached
    case .unreachable, .unavailable, .serverError, .notFound, .redirected, .notThingsBoard, .certificate:
      self = .unreached(error.code)
    case .unsupported, .cancelled: return nil
    }
  }
}
