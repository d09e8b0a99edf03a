public import Telemetry

/// What a device says to its platform, and what it hears. The transport behind it can be exchanged.
///
/// A transport that only goes upward implements `postTelemetry`, `postAttributes` and `traffic`; everything else then
/// throws `DeviceAPIError` with `.unsupported`.
public protocol DeviceAPI: Sendable {
  /// Whether anything comes down this way: commands, attributes, answers.
  var hasDownlink: Bool { get }

  /// Delivers a batch.
  ///
  /// Returns only when the server has taken all of it. Posting the same batch again overwrites it with itself.
  /// - Throws: `DeviceAPIError`; its `code` says whether the batch, the credential or the way there is at fault.
  func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError)

  /// Sets client attributes; those that are not named stay as they are.
  ///
  /// - Parameter attributes: Keys and values; what the server would damage is left out. Nothing is sent without any.
  func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError)

  /// Reads attributes.
  ///
  /// - Parameters:
  ///   - client: Names of client attributes; `nil` for none.
  ///   - shared: Names of shared attributes; `nil` for none. With both `nil` the server gives everything.
  func attributes(client: [String]?, shared: [String]?) async throws(DeviceAPIError) -> AttributeSnapshot

  /// Waits for a change of shared attributes: one long poll.
  ///
  /// - Parameter timeout: How long the server may wait; at most `LongPoll.longest`.
  /// - Returns: The change; `nil` at the poll's end without one.
  /// - Throws: `DeviceAPIError`, also where the poll ended at once, since polling again at once would spin, and where the
  ///   server did not end it in time: it may not have been before the server at all, and what it missed has to be read.
  func pollAttributes(for timeout: Duration) async throws(DeviceAPIError) -> AttributeUpdate?

  /// Waits for a server-side RPC: one long poll. Parameters and result as for `pollAttributes`.
  func pollCommand(for timeout: Duration) async throws(DeviceAPIError) -> ServerCommand?

  /// Answers a server-side RPC. The server takes an answer nobody waits for any more, too.
  func reply(_ reply: JSON, to id: CommandID) async throws(DeviceAPIError)

  /// Calls the server: a client-side RPC.
  ///
  /// - Returns: What the rule chain answers; `{"error":…}` is an answer, too, and an empty one is `null`.
  /// - Throws: `DeviceAPIError` with `.noAnswer` when no rule answers in time.
  func call(_ method: String, params: JSON) async throws(DeviceAPIError) -> JSON

  /// Lets a customer claim this device.
  ///
  /// - Parameters:
  ///   - secret: What the customer has to know; `nil` for the empty one.
  ///   - duration: How long; `nil` for the server's own.
  func claim(secret: Secret?, duration: Duration?) async throws(DeviceAPIError)

  /// Fetches a part of the package the server has assigned and holds itself.
  ///
  /// - Parameters:
  ///   - title: As assigned; with any other the server refuses, and so after a change of the assignment.
  ///   - version: As assigned.
  ///   - chunk: The part's number, from 0.
  ///   - size: Bytes of each part but the last.
  /// - Returns: What the server gave for it, whatever its length; never more than `size` bytes and one.
  /// - Throws: `DeviceAPIError`: `.poison` where title or version is not the assigned one (400), `.notFound` where none is
  ///   assigned (404).
  func packageChunk(
    _ kind: PackageKind, title: String, version: String, chunk: Int, size: Int
  ) async throws(DeviceAPIError) -> [UInt8]

  /// Takes another token for requests from now on, after the device has been provisioned anew. From any thread; requests
  /// under way end with the token they began with. Does nothing where the transport has no token that could change.
  func use(_ token: Secret)

  /// What the connections behind it have carried since the start: of all devices that share them, so never to be added up
  /// (`ServerConnections.traffic`).
  func traffic() async -> Traffic
}

extension DeviceAPI {
  public var hasDownlink: Bool { false }
  public func use(_ token: Secret) {}

  public func attributes(client: [String]?, shared: [String]?) async throws(DeviceAPIError) -> AttributeSnapshot {
    throw .unsupported
  }
  public func pollAttributes(for timeout: Duration) async throws(DeviceAPIError) -> AttributeUpdate? {
    throw .unsupported
  }
  public func pollCommand(for timeout: Duration) async throws(DeviceAPIError) -> ServerCommand? { throw .unsupported }
  public func reply(_ reply: JSON, to id: CommandID) async throws(DeviceAPIError) { throw .unsupported }
  public func call(_ method: String, params: JSON) async throws(DeviceAPIError) -> JSON { throw .unsupported }
  public func claim(secret: Secret?, duration: Duration?) async throws(DeviceAPIError) { throw .unsupported }
  public func packageChunk(
    _ kind: PackageKind, title: String, version: String, chunk: Int, size: Int
  ) async throws(DeviceAPIError) -> [UInt8] { throw .unsupported }
}

/// Bounds of long polls.
///
/// Source: contract.md §3 and §4.
public enum LongPoll {
  /// The longest a poll asks for: the usual single-process server ends every request after 30 s with a 503.
  public static let longest = Duration.seconds(25)
  /// A poll that ends sooner without an answer was not waited for: a proxy that answers 408 at once.
  public static let shortest = Duration.seconds(1)
}
