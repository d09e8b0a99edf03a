internal import EventLoop
internal import Telemetry
internal import ThingsBoard

/// How the server is reached: connections all devices share.
struct ServerAccess: Sendable {
  let server: ServerOptions
  private let connections: ServerConnections

  /// - Throws: `DeviceAPIError` where libcurl cannot start.
  init(on loop: EventLoop, _ server: ServerOptions) throws(DeviceAPIError) {
    self.server = server
    connections = try server.connections(on: loop, userAgent: Version.userAgent)
  }

  func deviceAPI(token: Secret, deviceName: String) -> any DeviceAPI {
    connections.deviceAPI(token: token, deviceName: deviceName)
  }

  func provisioningAPI() -> any ProvisioningAPI { connections.provisioningAPI() }

  /// What all devices' connections have carried since the start.
  func traffic() async -> Traffic { await connections.traffic() }
}
