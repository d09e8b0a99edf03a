/// A way in which the server, its network or what stands in front of it misbehaves.
public enum Fault: Sendable, Hashable {
  /// Answers without looking at the request, as a proxy does.
  case status(Int, body: String = "", contentType: String? = nil, headers: [String: String] = [:])
  /// 500 with an empty body: a rate limit, a database that is down, any other trouble of the server.
  case emptyServerError
  /// 200 with a login page, as a captive portal answers.
  case captivePortal
  /// Reads the request and says nothing; closes the connection after this time.
  case hang(Duration)
  /// Reads the request and closes the connection.
  case dropConnection
  /// Stores what was sent and closes the connection: the answer is lost on the way.
  case storeThenDropConnection
  /// Handles the request after this time.
  case slow(Duration)
  /// 500 with a parser's text for a body that holds `text`; other bodies are handled as usual.
  case poison(text: String, answer: String)
}

/// The requests a fault meets.
public enum FaultScope: Sendable, Hashable {
  /// `POST /{token}/telemetry`
  case telemetry
  /// Every request.
  case everything
}

/// The faults that are in force.
struct FaultPlan: Sendable {
  private var fault: Fault?
  private var scope = FaultScope.telemetry
  private var remaining: Int?

  mutating func set(_ fault: Fault?, requests: Int?, scope: FaultScope) {
    self.fault = requests.map { $0 > 0 } ?? true ? fault : nil
    self.scope = scope
    remaining = requests
  }

  /// The fault for a request, which uses it up.
  mutating func next(isTelemetry: Bool, body: [UInt8]) -> Fault? {
    guard let fault, isTelemetry || scope == .everything else { return nil }
    if case .poison(let text, _) = fault, !body.contains(text) { return nil }
    if let remaining {
      self.remaining = remaining - 1
      if remaining <= 1 { self.fault = nil }
    }
    return fault
  }
}

extension [UInt8] {
  /// Whether the text's bytes occur.
  fileprivate func contains(_ text: String) -> Bool {
    let pattern = Array(text.utf8)
    guard let first = pattern.first else { return true }
    var rest = self[...]
    while let index = rest.firstIndex(of: first) {
      if rest[index...].starts(with: pattern) { return true }
      rest = rest[(index + 1)...]
    }
    return false
  }
}
