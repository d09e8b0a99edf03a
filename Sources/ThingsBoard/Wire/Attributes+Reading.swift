internal import Telemetry

extension AttributeSnapshot {
  /// Reads `{"client":{…},"shared":{…}}`; a scope without any match is absent.
  ///
  /// - Returns: `nil` where `json` is something else.
  init?(_ json: JSON) {
    guard case .object = json, let client = Self.scope(json["client"]), let shared = Self.scope(json["shared"]) else {
      return nil
    }
    self.init(client: client, shared: shared)
  }

  private static func scope(_ json: JSON?) -> [JSON.Member]? {
    switch json {
    case nil: []
    case .object(let members): members
    default: nil
    }
  }
}

extension AttributeUpdate {
  /// Reads `{"key":value,…}` with removals as `"deleted":["key",…]`; not wrapped in a scope, unlike the public reference
  /// says (contract.md §3). A shared attribute named `deleted` that is no list of strings is a change.
  ///
  /// - Returns: `nil` where `json` is something else.
  init?(_ json: JSON) {
    guard case .object(let members) = json else { return nil }
    self.init()
    for member in members {
      if member.name == "deleted", let names = Self.names(member.value) {
        deleted = names
      } else {
        changed.append(member)
      }
    }
  }

  var isEmpty: Bool { changed.isEmpty && deleted.isEmpty }

  private static func names(_ json: JSON) -> [String]? {
    guard case .array(let elements) = json else { return nil }
    var names: [String] = []
    for element in elements {
      guard case .string(let name) = element else { return nil }
      names.append(name)
    }
    return names
  }
}
