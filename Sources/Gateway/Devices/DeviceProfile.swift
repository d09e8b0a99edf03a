internal import Configuration
internal import Queue
internal import Telemetry

/// What the configuration says of one device of the platform: the gateway's own, or one of `devices:`.
struct DeviceProfile: Sendable, Equatable {
  /// What the gateway's own queue is called; no entry of `devices:` may be.
  static let ownName = "gateway"

  var name: String
  var identity: DeviceOptions
  var downlink: DownlinkOptions
  var attributes: [Reading]
  var rpc: RPCOptions
  /// The gateway's own alone can be claimed.
  var claim: ClaimOptions?
  var upload: UploadOptions
  var queue: QueueOptions

  /// Whether it is the gateway itself, whose commands may act upon the whole board.
  var isOwn: Bool { name == Self.ownName }

  /// How `sensors.NAME.device` and `gpio.lines.NAME.device` say it.
  var reference: String? { isOwn ? nil : name }
}

extension GatewayConfiguration {
  /// The gateway's own device first, then those of `devices:` in the order of the file.
  var profiles: [DeviceProfile] {
    let own = DeviceProfile(
      name: DeviceProfile.ownName, identity: device, downlink: downlink, attributes: attributes, rpc: rpc, claim: claim,
      upload: upload, queue: queue)
    return [own]
      + devices.map { device in
        DeviceProfile(
          name: device.name, identity: device.device, downlink: device.downlink, attributes: device.attributes,
          rpc: device.rpc, claim: nil, upload: upload, queue: queue)
      }
  }
}
