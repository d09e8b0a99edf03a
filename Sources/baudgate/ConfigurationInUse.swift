internal import Configuration
internal import Gateway

/// The configuration a running daemon was started with: the file, or the last good one where that is broken.
enum ConfigurationInUse {
  static func load(_ path: String) -> GatewayConfiguration? {
    var surroundings = Surroundings.process
    surroundings.readsTokens = false
    switch GatewayConfiguration.load(path: path, in: surroundings) {
    case .success(let configuration): return configuration
    case .failure: return OneShot.lastGoodConfiguration(path)
    }
  }
}
