public import EventLoop

extension ServerOptions {
  /// Makes the client `transport` names. A further transport is a type of its own and a line here.
  ///
  /// - Parameters:
  ///   - token: The device's access token, or the integration's key.
  ///   - deviceName: For transports that name the device in each message.
  ///   - userAgent: The product and version the server's log shows.
  /// - Throws: `DeviceAPIError` when libcurl cannot start.
  public func deviceAPI(
    on loop: EventLoop, token: Secret, deviceName: String?, userAgent: String = "baudgate"
  ) throws(DeviceAPIError) -> any DeviceAPI {
    switch transport {
    case .deviceAPI:
      try HTTPDeviceAPI(on: loop, server: self, token: token, userAgent: userAgent)
    case .httpIntegration:
      try HTTPIntegrationAPI(on: loop, server: self, key: token, deviceName: deviceName, userAgent: userAgent)
    }
  }
}
