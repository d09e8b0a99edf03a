internal import ThingsBoard
internal import YAML

extension ConnectedDevice {
  /// Reads `devices.NAME`, whose reader hides values.
  ///
  /// - Parameter gateway: The gateway's own `downlink`, for a device that has none.
  init?(
    from reader: inout MappingReader, named name: String, _ server: ServerOptions?, _ gateway: DownlinkOptions,
    in surroundings: Surroundings
  ) {
    let ownName = DeviceOptions.name(&reader)
    let identity = DeviceIdentity(from: &reader, in: surroundings)
    var downlink: DownlinkOptions?
    if var section = reader.openSection("downlink") { downlink = DownlinkOptions(from: &section, server, gateway) }
    let attributes = AttributeList.read(from: &reader)
    var rpc: RPCOptions?
    if var section = reader.openSection("rpc") { rpc = RPCOptions(ofDevice: &section) }
    let hints = [
      "access_token": "the key is \"token\"", "claim": "only the gateway itself can be claimed",
      "ota": "packages are the gateway's alone", "sensors": "a sensor names its device: {device: \(name), …}",
      "upload": "upload is the same for all devices", "server": "the server is the same for all devices",
    ]
    guard reader.finish(hints: hints), let identity else { return nil }
    self.init(
      name: name, device: DeviceOptions(name: ownName ?? name, identity: identity), downlink: downlink ?? gateway)
    self.attributes = attributes
    self.rpc = rpc ?? RPCOptions()
  }
}

extension MappingReader {
  /// A reader of the mapping under `key` that shows values: no secret belongs there. What is no mapping is not shown.
  fileprivate mutating func openSection(_ key: String) -> MappingReader? {
    guard let section = mapping(key, isSecret: true, mayBeEmpty: true) else { return nil }
    return MappingReader(section.node, path: section.path, name: section.name, diagnostics: diagnostics)
  }
}
