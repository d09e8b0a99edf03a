internal import EventLoop
internal import Logging
internal import ThingsBoard

/// What all devices of this gateway share.
struct DeviceResources: Sendable {
  let loop: EventLoop
  /// The card: queues, credential files.
  let disk: BlockingPool
  /// The records of commands, apart from the queues' writes; one thread for all.
  let commands = BlockingPool(name: "commands", threads: 1)
  /// Where hot logs live, a directory for each device in it.
  let hotDirectory: String
  let stateDirectory: String
  let secrets: SecretRegistry
  /// What has been told of the server: a dead link is one line, however many devices meet it.
  let outages = OutageBoard()
  let log: Logger

  /// What has to outlive a power cut beside the queue. The gateway's own stands where it always stood.
  func stateDirectory(of device: String) -> String {
    device == DeviceProfile.ownName ? stateDirectory : "\(stateDirectory)/devices/\(device)"
  }
}
