public import Telemetry

/// A device's attributes as the server gives them.
///
/// Doubles come as Java prints them; a huge number may come as a string. Source: contract.md §3.
public struct AttributeSnapshot: Sendable, Equatable {
  public var client: [JSON.Member]
  public var shared: [JSON.Member]

  public init(client: [JSON.Member] = [], shared: [JSON.Member] = []) {
    self.client = client
    self.shared = shared
  }
}

/// What one poll tells of the shared attributes.
public struct AttributeUpdate: Sendable, Equatable {
  public var changed: [JSON.Member]
  public var deleted: [String]

  public init(changed: [JSON.Member] = [], deleted: [String] = []) {
    self.changed = changed
    self.deleted = deleted
  }
}
