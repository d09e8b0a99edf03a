internal import Configuration
internal import Logging

/// The configuration a start begins with: the file, and over it what the server has set and was proved.
struct RemoteStart {
  let record: RemoteConfigurationRecord
  let configuration: GatewayConfiguration

  /// May block. The state directory is held.
  init(_ source: ConfigurationSource, _ loaded: ConfigurationSource.Loaded, file: String, _ log: Logger) {
    guard loaded.configuration.remote.isEnabled else {
      record = RemoteConfigurationRecord()
      configuration = loaded.configuration
      return
    }
    var record = RemoteConfiguration.restore(loaded.configuration.stateDirectory, log)
    var configuration = loaded.configuration
    if let good = record.good {
      switch source.check(loaded.bytes, file: file, json: good) {
      case .success(let merged): configuration = merged.configuration
      case .failure(let errors):
        for line in errors.lines { log.error("\(line)") }
        log.error("the remote configuration does not fit \(file) any more, which alone counts")
        record.good = nil
        record.refuse(good, errors.lines.joined(separator: "\n"))
      }
    }
    self.record = record
    self.configuration = configuration
  }
}
