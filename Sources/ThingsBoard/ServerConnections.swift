public import EventLoop

/// The connections to one server, shared by all devices of a gateway.
///
/// Polls and posts have connections apart, so that no poll holds up a post. Over HTTP/2 polls of all devices share as few
/// connections as the server's limit of streams allows; over HTTP/1.1 each open poll has its own, which cannot be
/// otherwise. Posts and questions are under way 32 at a time and 3 of one device, first come, first served: a device
/// whose requests are never answered delays the others by nothing.
public final class ServerConnections: Sendable {
  let posts: Exchange
  let polls: Exchange
  private let transport: ServerOptions.Transport

  /// - Parameters:
  ///   - loop: Where everything runs; `EventLoop` says how tasks get there.
  ///   - server: Where the platform is and how it is spoken to.
  ///   - userAgent: The product and version the server's log shows.
  /// - Throws: `DeviceAPIError` when libcurl cannot start.
  public convenience init(
    on loop: EventLoop, server: ServerOptions, userAgent: String = "baudgate"
  ) throws(DeviceAPIError) {
    try self.init(on: loop, server: server, userAgent: userAgent, timeLimit: Exchange.timeLimit)
  }

  /// - Parameter timeLimit: Of posts and questions that name none.
  init(
    on loop: EventLoop, server: ServerOptions, userAgent: String = "baudgate", timeLimit: Duration,
    postLimits: ClientLimits = .posts
  ) throws(DeviceAPIError) {
    let traits = ServerTraits()
    posts = try Exchange(
      on: loop, server: server, userAgent: userAgent, limits: postLimits, traits: traits, timeLimit: timeLimit)
    polls = try Exchange(on: loop, server: server, userAgent: userAgent, limits: .polls, traits: traits)
    transport = server.transport
  }

  /// A device's client, of the kind `server.transport` names. A further transport is a type of its own and a line here.
  ///
  /// - Parameters:
  ///   - token: The device's access token, or the integration's key.
  ///   - deviceName: For transports that name the device in each message.
  public func deviceAPI(token: Secret, deviceName: String?) -> any DeviceAPI {
    switch transport {
    case .deviceAPI: HTTPDeviceAPI(over: self, token: token)
    case .httpIntegration: HTTPIntegrationAPI(over: self, key: token, deviceName: deviceName)
    }
  }

  /// Asks for devices of their own, over the same connections as posts.
  public func provisioningAPI() -> any ProvisioningAPI { HTTPProvisioningAPI(over: self) }

  /// What all connections have carried since the start, for all devices.
  public func traffic() async -> Traffic { await posts.client.traffic + polls.client.traffic }
}
