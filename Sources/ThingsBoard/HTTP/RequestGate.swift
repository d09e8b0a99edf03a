internal import Synchronization

/// Who asks: one device, or one purpose of it. Places are given out fairly between owners.
struct RequestOwner: Sendable, Hashable {
  private let number: UInt64
  private static let count = Atomic<UInt64>(0)

  /// One that nobody else is.
  init() { number = Self.count.wrappingAdd(1, ordering: .relaxed).newValue }
}

/// Which requests may be under way, as a value: first come, first served, a number of places in all and a smaller one
/// for each owner, so that one whose requests hang holds up none but its own.
///
/// Requests are numbers; what a step admits is returned.
struct RequestGate {
  private let places: Int
  private let placesPerOwner: Int
  private let longestQueue: Int
  /// First come first; while there is a place, all of them are of owners that have theirs.
  private var waiting: [(id: UInt64, owner: RequestOwner)] = []
  private var underWay: [UInt64: RequestOwner] = [:]
  private var held: [RequestOwner: Int] = [:]

  init(places: Int, placesPerOwner: Int, longestQueue: Int) {
    self.places = places
    self.placesPerOwner = placesPerOwner
    self.longestQueue = longestQueue
  }

  enum Entry: Equatable { case admitted, waits, full }

  mutating func enter(_ id: UInt64, of owner: RequestOwner) -> Entry {
    if isOpen(to: owner) {
      admit(id, of: owner)
      return .admitted
    }
    guard waiting.count < longestQueue else { return .full }
    waiting.append((id, owner))
    return .waits
  }

  /// A request is over, or given up while it waited.
  ///
  /// - Returns: Those that may begin now.
  mutating func leave(_ id: UInt64) -> [UInt64] {
    guard let owner = underWay.removeValue(forKey: id) else {
      waiting.removeAll { $0.id == id }
      return []
    }
    held[owner] = held[owner].flatMap { $0 > 1 ? $0 - 1 : nil }
    // One place was given back, so one at most can begin.
    guard let index = waiting.firstIndex(where: { isOpen(to: $0.owner) }) else { return [] }
    let next = waiting.remove(at: index)
    admit(next.id, of: next.owner)
    return [next.id]
  }

  /// Sends away all that wait.
  ///
  /// - Returns: Them.
  mutating func dismiss() -> [UInt64] {
    defer { waiting = [] }
    return waiting.map(\.id)
  }

  private func isOpen(to owner: RequestOwner) -> Bool {
    underWay.count < places && held[owner, default: 0] < placesPerOwner
  }

  private mutating func admit(_ id: UInt64, of owner: RequestOwner) {
    underWay[id] = owner
    held[owner, default: 0] += 1
  }
}
