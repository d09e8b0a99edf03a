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
  /// Reads the request and resets the connection (RST).
  case reset
  /// Does the work (stores, hands over, creates) and closes the connection: the answer is lost on the way. Meets answers
  /// of status 200, so a poll that was open before the fault was set, too.
  case storeThenDropConnection
  /// Does the work and ends the connection, by RST if `reset`, in the middle of the answer's body, or of its head where the
  /// body is empty. Meets answers of status 200, so a poll that was open before the fault was set, too.
  case cutBody(reset: Bool = false)
  /// Does the work and answers with that many bytes too many, noise, behind the right ones.
  case longer(by: Int)
  /// Does the work and answers with that many bytes less, in good order but for that; `.max` for none.
  case shorter(by: Int)
  /// Does the work and answers with one bit in the middle of the body changed.
  case altered
  /// Handles the request after this time.
  case slow(Duration)
  /// 500 with a parser's text for a body that holds `text`; other bodies are handled as usual.
  case poison(text: String, answer: String)
  /// 200 with that many bytes which are neither JSON nor UTF-8, called JSON.
  case garbage(bytes: Int)
  /// 200 with a JSON object of about that many bytes, in good order but for its size: a command or an attribute.
  case hugeBody(bytes: Int)
  /// 200 with JSON of that many arrays in each other: a command's params, or an attribute.
  case nested(depth: Int)

  /// A poll ends at once, as a proxy with no patience answers.
  public static let endPoll = Fault.status(408)

  /// Whether it befalls the answer; else it stands in the request's way.
  var isOfAnswer: Bool {
    switch self {
    case .storeThenDropConnection, .cutBody, .longer, .shorter, .altered: true
    default: false
    }
  }
}

/// The requests a fault meets.
public struct FaultScope: Sendable, Hashable {
  /// `nil` is all but the control endpoints.
  private let kinds: Set<RequestKind>?

  /// `POST /{token}/telemetry`
  public static let telemetry = only(.postTelemetry)
  /// Both long polls.
  public static let polls = only(.pollCommands, .pollAttributes)
  /// Parts of packages, from ThingsBoard or from beside it.
  public static let packages = only(.getPackage, .getFile)
  /// Every request, those of unknown paths among them.
  public static let everything = FaultScope(kinds: nil)

  public static func only(_ kinds: RequestKind...) -> FaultScope { FaultScope(kinds: Set(kinds)) }

  func contains(_ kind: RequestKind) -> Bool { kinds?.contains(kind) ?? (kind != .control) }
}

/// The faults that are in force, one for each scope.
struct FaultPlan: Sendable {
  private struct Entry: Sendable {
    var fault: Fault
    var scope: FaultScope
    var remaining: Int?
  }

  private var entries: [Entry] = []

  mutating func set(_ fault: Fault, requests: Int?, scope: FaultScope) {
    end(scope)
    if requests.map({ $0 > 0 }) ?? true { entries.append(Entry(fault: fault, scope: scope, remaining: requests)) }
  }

  /// Ends the fault of a scope; `nil` ends all.
  mutating func end(_ scope: FaultScope?) { entries.removeAll { scope == nil || $0.scope == scope } }

  /// The fault in a request's way, the newest that meets it, which uses it up.
  mutating func next(_ kind: RequestKind, body: [UInt8]) -> Fault? {
    take { entry in
      guard !entry.fault.isOfAnswer, entry.scope.contains(kind) else { return false }
      if case .poison(let text, _) = entry.fault { return body.contains(text) }
      return true
    }
  }

  /// The fault that befalls an answer of status 200, likewise.
  mutating func nextOfAnswer(_ kind: RequestKind) -> Fault? {
    take { $0.fault.isOfAnswer && $0.scope.contains(kind) }
  }

  private mutating func take(where meets: (Entry) -> Bool) -> Fault? {
    guard let index = entries.lastIndex(where: meets) else { return nil }
    let fault = entries[index].fault
    if let remaining = entries[index].remaining {
      entries[index].remaining = remaining - 1
      if remaining <= 1 { entries.remove(at: index) }
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
