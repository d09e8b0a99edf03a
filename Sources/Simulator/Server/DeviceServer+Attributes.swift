internal import Synchronization

/// A device's attributes, as the server has them. All of it may be called from any thread.
extension DeviceServer {
  /// A device's client attributes by name.
  public func clientAttributes(token: String) -> [String: StoredValue] { named(\.client, token) }

  /// A device's shared attributes by name.
  public func sharedAttributes(token: String) -> [String: StoredValue] { named(\.shared, token) }

  /// Sets a shared attribute and tells every open poll, which ends with it. A poll that opens later is told nothing.
  ///
  /// - Parameter text: As in ``StoredValue/text``; a double is given out as Java prints it.
  /// - Returns: Whether there was room.
  @discardableResult
  public func setSharedAttribute(_ key: String, type: StoredType, text: String, token: String) -> Bool {
    setShared([ValueConverter.Entry(key: key, value: StoredValue(ts: Self.now, type: type, text: text))], token: token)
  }

  /// Sets all members of a JSON object as shared attributes, one change for all, with the server's value rules.
  ///
  /// - Returns: Whether it was an object with values and there was room.
  @discardableResult
  public func setSharedAttributes(_ json: String, token: String) -> Bool {
    guard case .accepted(let entries, _, _) = options.converter.attributes(Array(json.utf8), now: Self.now),
      !entries.isEmpty
    else { return false }
    return setShared(entries, token: token)
  }

  /// Deletes a shared attribute and tells every open poll, `{"deleted":["key"]}`.
  ///
  /// - Returns: Whether it was there; if not, nobody is told.
  @discardableResult
  public func deleteSharedAttribute(_ key: String, token: String) -> Bool {
    deleteSharedAttributes([key], token: token)
  }

  /// Deletes shared attributes, one change for all.
  ///
  /// - Returns: Whether any was there; if not, nobody is told.
  @discardableResult
  public func deleteSharedAttributes(_ keys: [String], token: String) -> Bool {
    update { state, wakeups in
      let removed = keys.filter { state.devices[token]?.attributes.removeShared($0) ?? false }
      if removed.isEmpty { return false }
      let news = LiteralJSON.object([
        .init(name: ExactText("deleted"), value: .array(removed.map { .string($0) }))
      ])
      state.announceAttributes(news, token: token, &wakeups)
      return true
    }
  }

  /// Sets shared attributes as they are, one change for all.
  ///
  /// - Returns: Whether there was room.
  func setShared(_ entries: [ValueConverter.Entry], token: String) -> Bool {
    update { state, wakeups in
      guard state.hasRoom(for: token) else { return false }
      let kept = entries.filter { state.devices[token, default: DeviceMemory()].attributes.setShared($0) }
      if !kept.isEmpty {
        let news = LiteralJSON.object(kept.map { .init(name: ExactText($0.key), value: $0.value.document) })
        state.announceAttributes(news, token: token, &wakeups)
      }
      return kept.count == entries.count
    }
  }

  private func named(
    _ scope: KeyPath<AttributeStore, [ExactText: StoredValue]>, _ token: String
  ) -> [String: StoredValue] {
    let values = state.withLock { $0.devices[token]?.attributes }?[keyPath: scope] ?? [:]
    return Dictionary(values.map { ($0.key.text, $0.value) }, uniquingKeysWith: { _, last in last })
  }
}
