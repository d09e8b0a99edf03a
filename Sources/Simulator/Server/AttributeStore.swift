/// A device's attributes in the scopes a device sees.
struct AttributeStore: Sendable {
  /// Attributes of one scope it holds at most.
  static let limit = 10_000

  private(set) var client: [ExactText: StoredValue] = [:]
  private(set) var shared: [ExactText: StoredValue] = [:]

  /// - Returns: Whether there was room.
  mutating func setClient(_ entry: ValueConverter.Entry) -> Bool { Self.set(entry, in: &client) }
  mutating func setShared(_ entry: ValueConverter.Entry) -> Bool { Self.set(entry, in: &shared) }

  /// - Returns: Whether it was there.
  mutating func removeShared(_ key: String) -> Bool { shared.removeValue(forKey: ExactText(key)) != nil }

  /// The body of `GET /{token}/attributes`. A scope without a match is absent.
  ///
  /// - Parameters:
  ///   - clientKeys: Names asked for, `nil` where the parameter is missing. With both missing everything is given.
  func document(clientKeys: [String]?, sharedKeys: [String]?) -> LiteralJSON {
    let everything = clientKeys == nil && sharedKeys == nil
    let scopes = [
      ("client", Self.select(client, everything ? nil : clientKeys ?? [])),
      ("shared", Self.select(shared, everything ? nil : sharedKeys ?? [])),
    ]
    return .object(
      scopes.filter { !$0.1.isEmpty }.map { name, members in
        LiteralJSON.Member(name: ExactText(name), value: .object(members))
      })
  }

  private static func set(_ entry: ValueConverter.Entry, in scope: inout [ExactText: StoredValue]) -> Bool {
    let key = ExactText(entry.key)
    guard scope[key] != nil || scope.count < limit else { return false }
    scope[key] = entry.value
    return true
  }

  private static func select(_ scope: [ExactText: StoredValue], _ names: [String]?) -> [LiteralJSON.Member] {
    let keys = names.map { $0.map { ExactText($0) } } ?? scope.keys.sorted { $0.text < $1.text }
    return keys.compactMap { key in
      scope[key].map { LiteralJSON.Member(name: key, value: $0.document) }
    }
  }
}

extension StoredValue {
  /// The value as the server prints it in answers; a document keeps its nulls here.
  var document: LiteralJSON {
    switch type {
    case .boolean: .bool(text == "true")
    case .long: .number(text)
    case .double: .number(Double(text).map(JavaDouble.text) ?? text)
    case .string: .string(text)
    case .json: (try? LiteralJSON.parse(Array(text.utf8)).document) ?? .string(text)
    }
  }
}
