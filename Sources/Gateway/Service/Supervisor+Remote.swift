internal import Configuration
internal import EventLoop
internal import Telemetry

// MARK: - What the server sets
extension Supervisor {
  func startRemoteConfiguration(_ record: RemoteConfigurationRecord) {
    remote = RemoteConfiguration(
      on: loop, directory: resources.stateDirectory, record, disk: resources.disk,
      trialTime: configuration.remote.trialTime, log: log,
      actions: RemoteConfiguration.Actions(
        check: { [weak self] overlay in await self?.errors(of: overlay) ?? [] },
        apply: { [weak self] overlay in await self?.apply(overlay: overlay) ?? [] },
        publish: { [weak self] readings in self?.assumeIsolated { $0.own?.assumeIsolated { $0.publish(readings) } } }))
  }

  /// The gateway's shared attributes were read for the first time, or have changed.
  func sharedAttributesChanged(_ values: [(String, JSON)]) {
    if configuration.remote.isEnabled {
      let overlay = values.first { $0.0 == RemoteConfiguration.attribute }?.1
      remote?.assumeIsolated { $0.serverSet(overlay.map(Self.parsed)) }
    }
    for updater in updaters.values { updater.assumeIsolated { $0.assignmentMayHaveChanged(values: values) } }
  }

  /// An attribute of the type String that holds JSON is meant as JSON.
  private static func parsed(_ value: JSON) -> JSON {
    guard case .string(let text) = value, let json = try? JSON(parsing: Array(text.utf8)) else { return value }
    return json
  }
}
