/// What the server keeps of one device beside its telemetry.
struct DeviceMemory: Sendable {
  var attributes = AttributeStore()
  var commands = CommandQueue()
  var packages: [ServedPackage.Kind: ServedPackage] = [:]
  /// Open polls of `attributes/updates`; they leave nothing behind.
  var attributePolls: [UInt64] = []
}
