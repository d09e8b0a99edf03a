/// What a client may use, depending on what it is for.
struct ClientLimits: Sendable {
  /// Requests under way at a time.
  var places: Int
  /// Of them, those of one owner: one whose requests are never answered does not hold up the others.
  var placesPerOwner: Int
  /// Requests that wait for a place; one more fails.
  var longestQueue: Int
  /// Connections kept open for later requests, beside those in use.
  var idleConnections: Int
  /// Bytes libcurl reads at a time, which each request under way has a buffer for.
  var receiveBuffer: Int

  /// Requests that are answered at once.
  static let posts = ClientLimits(
    places: 32, placesPerOwner: 3, longestQueue: 8192, idleConnections: 4, receiveBuffer: 16 << 10)

  /// Requests that wait half a minute for a few bytes, several a device: each needs to be open, and little else.
  static let polls = ClientLimits(
    places: .max, placesPerOwner: .max, longestQueue: 0, idleConnections: 16, receiveBuffer: 2 << 10)
}
