/// A server-side RPC and what became of it.
public struct CommandOutcome: Sendable, Hashable {
  public var id: Int64
  /// `nil` where a reply came for a number the server had given to no command.
  public var method: String?
  public var isOneWay: Bool
  /// When the server got it, in nanoseconds of ``MonotonicClock``; 0 without a command.
  public var sentAt: UInt64
  /// When it was handed to a poll, once for each poll; the answer is written right after.
  public var handovers: [UInt64] = []
  /// Whether it counted as sent to the subscription that an ended poll had left behind.
  public var wentToGhost = false
  /// All replies, in order.
  public var replies: [CommandReply] = []

  /// Whether a reply came while the server waited for one; never of a one-way command.
  public var isAnsweredInTime: Bool { replies.contains(where: \.isInTime) }
}

/// A body of `POST /{token}/rpc/{id}`; the server takes any text.
public struct CommandReply: Sendable, Hashable {
  public var text: String
  /// When it had arrived, in nanoseconds of ``MonotonicClock``.
  public var time: UInt64
  /// Whether the server still waited for it: the first one of a two-way command within its lifetime.
  public var isInTime: Bool
}
