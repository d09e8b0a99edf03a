internal import EventLoop
internal import Telemetry
internal import ThingsBoard

/// The `DeviceAPI` that `server.transport` names; a transport is added here and nowhere else.
struct Transport {
  let api: any DeviceAPI
  let replaceToken: @Sendable (Secret) -> Void

  static let userAgent = "baudgate/\(Version.current)"

  /// - Parameters:
  ///   - token: The device's access token, or the integration's key.
  ///   - deviceName: `device.name`, filled in; the integration's converter finds the device by it.
  /// - Throws: `DeviceAPIError` where libcurl cannot start.
  init(
    on loop: EventLoop, _ server: ServerOptions, token: Secret, deviceName: String
  ) throws(DeviceAPIError) {
    switch server.transport {
    case .deviceAPI:
      let api = try HTTPDeviceAPI(on: loop, server: server, token: token, userAgent: Self.userAgent)
      self.api = api
      replaceToken = { api.use($0) }
    case .httpIntegration:
      api = try HTTPIntegrationAPI(
        on: loop, server: server, key: token, deviceName: deviceName, userAgent: Self.userAgent)
      replaceToken = { _ in }
    }
  }
}
