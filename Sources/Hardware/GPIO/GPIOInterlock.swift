/// Outputs of which at most one is on: an entry of `gpio.interlocks`.
public struct GPIOInterlock: Sendable, Equatable {
  /// Names of outputs, of whatever chips and devices; at least two.
  public var lines: [String]
  /// How long one must have been off before another comes on.
  public var gap: Duration

  public init(_ lines: [String], gap: Duration = .zero) {
    self.lines = lines
    self.gap = gap
  }
}

/// What all interlocks say of each line, as a value.
struct Interlocks {
  /// What is known of a line. Time is `Uptime.monotonic`.
  enum Level: Equatable {
    case on
    case off(since: Duration)
    /// It cannot be had right now: what it switches may be on.
    case unknown
  }

  /// Why a line may not be switched on.
  enum Obstacle: Equatable {
    case on(String)
    case unknown(String)
    /// The other has been off too short a time; how long it takes yet.
    case recent(String, Duration)

    var line: String {
      switch self {
      case .on(let line), .unknown(let line), .recent(let line, _): line
      }
    }

    /// `down is on; switch it off first`
    var words: String {
      switch self {
      case .on(let line): "\(line) is on; switch it off first"
      case .unknown(let line): "\(line) cannot be had right now, so that it may be on; see what keeps it"
      case .recent(let line, let rest): "\(line) was on a moment ago; try again in \(rest.configuredRoundedUp)"
      }
    }
  }

  private struct Partner {
    let name: String
    let gap: Duration
  }

  private var partners: [String: [Partner]] = [:]

  init(_ interlocks: [GPIOInterlock] = []) {
    for interlock in interlocks {
      for line in interlock.lines {
        partners[line, default: []] += interlock.lines.filter { $0 != line }.map {
          Partner(name: $0, gap: interlock.gap)
        }
      }
    }
  }

  /// Whether a line is in any.
  func has(_ line: String) -> Bool { partners[line] != nil }

  /// The longest time off of all that stand against a line.
  func gap(of line: String) -> Duration { partners[line]?.map(\.gap).max() ?? .zero }

  /// Those that are never on together with a line.
  func partners(of line: String) -> [String] { partners[line]?.map(\.name) ?? [] }

  /// What keeps a line from being switched on: one that is on goes before one that may be.
  ///
  /// - Parameter level: Of a line, by its name.
  func obstacle(to line: String, at now: Duration, _ level: (String) -> Level) -> Obstacle? {
    var found: Obstacle?
    for partner in partners[line] ?? [] {
      switch level(partner.name) {
      case .on: return .on(partner.name)
      case .unknown: found = .unknown(partner.name)
      case .off(let since):
        let rest = partner.gap - (now - since)
        if rest > .zero, found == nil { found = .recent(partner.name, rest) }
      }
    }
    return found
  }
}

extension Duration {
  /// `300 ms`, never 0.
  fileprivate var configuredRoundedUp: String {
    let (seconds, attoseconds) = components
    return "\(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000) ms"
  }
}
