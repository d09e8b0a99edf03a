public import EventLoop

extension ServerOptions {
  /// The connections all devices of a gateway share.
  ///
  /// - Parameter userAgent: The product and version the server's log shows.
  /// - Throws: `DeviceAPIError` when libcurl cannot start.
  public func connections(
    on loop: EventLoop, userAgent: String = "baudgate"
  ) throws(DeviceAPIError) -> ServerConnections {
    try ServerConnections(on: loop, server: self, userAgent: userAgent)
  }

  /// The client of a single device, with connections of its own.
  ///
  /// - Parameters:
  ///   - token: The device's access token, or the integration's key.
  ///   - deviceName: For transports that name the device in each message.
  ///   - userAgent: The product and version the server's log shows.
  /// - Throws: `DeviceAPIError` when libcurl cannot start.
  public func deviceAPI(
    on loop: EventLoop, token: Secret, deviceName: String?, userAgent: String = "baudgate"
  ) throws(DeviceAPIError) -> any DeviceAPI {
    try connections(on: loop, userAgent: userAgent).deviceAPI(token: token, deviceName: deviceName)
  }
}
