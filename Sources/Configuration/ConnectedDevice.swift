public import Telemetry

/// `devices.NAME`: a device of its own on the platform, reached through this gateway.
public struct ConnectedDevice: Sendable, Equatable {
  /// More than one gateway's memory and connections are made for.
  public static let limit = 2000

  /// As sensors and lines name it. Its queue and its files are called so, too.
  public var name: String
  /// Its credential. The name it asks for when it provisions itself is `name` where the file says none.
  public var device: DeviceOptions
  /// `downlink:` of the device; the gateway's own where it says nothing.
  public var downlink: DownlinkOptions
  /// Client attributes, in the order of the file.
  public var attributes: [Reading] = []
  /// `rpc.bind` and `rpc.alias` of the device; programs and calls are the gateway's alone.
  public var rpc = RPCOptions()

  public init(name: String, device: DeviceOptions, downlink: DownlinkOptions) {
    self.name = name
    self.device = device
    self.downlink = downlink
  }
}
