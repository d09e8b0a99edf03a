internal import EventLoop
internal import Telemetry

/// What is kept of the remote configuration: `remote-configuration.json` in the state directory.
struct RemoteConfigurationRecord: Sendable, Equatable {
  static let name = "remote-configuration.json"
  private static let format: Int64 = 1
  /// Bytes of the largest file that is read: three overlays and what is said of them.
  static let sizeLimit = 512 << 10
  /// Characters of an error that are kept and reported.
  static let errorLimit = 4096

  /// How the overlay the server has set is, as the client attribute `baudgate_state` says it.
  enum State: String, Sendable, CaseIterable {
    /// There is none: the file alone counts.
    case none
    /// In use, until the uplink has succeeded with it or its time is over.
    case trial
    /// In use and proved.
    case applied
    /// Not valid, so never in use.
    case refused
    /// Taken back after its trial.
    case rolledBack = "rolled_back"
  }

  var state = State.none
  /// The last overlay that was proved; in use unless another is on trial.
  var good: JSON?
  /// In use and not proved yet. Found at a start it is taken back.
  var trial: JSON?
  /// What was refused or taken back: not tried again until the server sets something else.
  var refused: JSON?
  /// Why.
  var error = ""

  /// What counts now.
  var current: JSON? { trial ?? good }

  init() {}

  // MARK: The file

  enum ParsingError: Error { case damaged }

  init(parsing bytes: [UInt8]) throws(ParsingError) {
    guard bytes.count <= Self.sizeLimit,
      let document = try? JSON(parsing: bytes, limits: JSONLimits(size: Self.sizeLimit)),
      document["format"] == .integer(Self.format), case .string(let word) = document["state"],
      let state = State(rawValue: word), case .string(let error) = document["error"]
    else { throw .damaged }
    self.state = state
    self.error = error
    good = document["good"]
    trial = document["trial"]
    refused = document["refused"]
  }

  var bytes: [UInt8] {
    var members: [JSON.Member] = [
      .init("format", .integer(Self.format)), .init("state", .string(state.rawValue)), .init("error", .string(error)),
    ]
    if let good { members.append(.init("good", good)) }
    if let trial { members.append(.init("trial", trial)) }
    if let refused { members.append(.init("refused", refused)) }
    var bytes: [UInt8] = []
    JSON.object(members).write(into: &bytes)
    return bytes
  }

  // MARK: Steps

  /// A valid overlay is about to be used.
  mutating func begin(_ overlay: JSON) {
    trial = overlay
    refused = nil
    state = .trial
    error = ""
  }

  /// The uplink has succeeded with what is on trial.
  mutating func confirm() {
    guard let trial else { return }
    good = trial
    self.trial = nil
    state = .applied
  }

  /// An overlay cannot be used.
  mutating func refuse(_ overlay: JSON, _ words: String) {
    refused = overlay
    state = .refused
    error = String(words.prefix(Self.errorLimit))
  }

  /// What is on trial is taken back.
  mutating func rollBack(_ words: String) {
    guard let trial else { return }
    refused = trial
    self.trial = nil
    state = .rolledBack
    error = String(words.prefix(Self.errorLimit))
  }

  /// What is on trial is neither proved nor refused.
  mutating func dropTrial() {
    trial = nil
    state = good == nil ? .none : .applied
  }

  /// The server has withdrawn its overlay: the file alone counts.
  mutating func clear() { self = RemoteConfigurationRecord() }
}
