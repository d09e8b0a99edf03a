public import Telemetry

/// The number of a server-side RPC. Numbers count up per device in the server's memory and start again at 0 when it
/// restarts: one alone is no identity.
public struct CommandID: Sendable, Hashable, CustomStringConvertible {
  public let number: Int64
  public init(_ number: Int64) { self.number = number }
  public var description: String { "\(number)" }
}

/// A server-side RPC as it was handed over.
///
/// One-way and two-way commands look alike, so each is answered. Source: contract.md §4.
public struct ServerCommand: Sendable, Hashable {
  public let id: CommandID
  public let method: String
  /// Any JSON; widgets send bare values, `null` where there are none.
  public let params: JSON

  public init(id: CommandID, method: String, params: JSON) {
    self.id = id
    self.method = method
    self.params = params
  }
}
