internal import Configuration
internal import EventLoop
internal import Telemetry
internal import YAML

/// The configuration file, and the last one that was good. Every call may block.
struct ConfigurationSource: Sendable {
  /// What was read, whole.
  struct Loaded: Sendable {
    var configuration: GatewayConfiguration
    var bytes: [UInt8]
  }

  /// The copy of the last good file in the state directory. It may hold a token: mode 0600.
  static let lastGoodName = "last-good.yaml"

  let path: String
  private let surroundings: Surroundings

  init(path: String, in surroundings: Surroundings = .process) {
    self.path = path
    var surroundings = surroundings
    // The last good file stands elsewhere, and means the same maps.
    surroundings.mapDirectories.insert(MapLibrary.directory(beside: path), at: 0)
    self.surroundings = surroundings
  }

  // MARK: The file

  /// Reads and checks the file.
  ///
  func load() -> Result<Loaded, ConfigurationErrors> {
    GatewayConfiguration.read(path).flatMap { check($0, file: path, json: nil) }
  }

  /// Checks bytes read before.
  private func check(
    _ bytes: [UInt8], file: String, overlay: ConfigurationOverlay?
  ) -> Result<Loaded, ConfigurationErrors> {
    GatewayConfiguration.load(bytes, file: file, overlay: overlay, in: surroundings)
      .map { Loaded(configuration: $0, bytes: bytes) }
  }

  /// - Parameter json: The overlay as the server has it; `nil` for the file alone.
  func check(_ bytes: [UInt8], file: String, json: JSON?) -> Result<Loaded, ConfigurationErrors> {
    guard let json else { return check(bytes, file: file, overlay: nil) }
    do throws(ConfigurationErrors) {
      return check(bytes, file: file, overlay: try ConfigurationOverlay(json))
    } catch { return .failure(error) }
  }

  // MARK: The last good one

  /// Keeps what has been started with. Nothing is written where it is there already.
  ///
  /// - Throws: `SystemError`; the one before is kept.
  func keep(_ loaded: Loaded) throws(SystemError) {
    let file = DurableFile(directory: loaded.configuration.stateDirectory, name: Self.lastGoodName)
    guard try file.read(atMost: YAMLLimits.size) != loaded.bytes else { return }
    try file.replace(with: loaded.bytes)
  }

  /// The last good file, where this one cannot be used.
  ///
  /// - Returns: `nil` where there is none that is valid today.
  func lastGood() -> Loaded? {
    for directory in stateDirectories {
      let file = DurableFile(directory: directory, name: Self.lastGoodName)
      guard let bytes = (try? file.read(atMost: YAMLLimits.size)) ?? nil,
        case .success(let loaded) = check(bytes, file: file.path, json: nil)
      else { continue }
      return loaded
    }
    return nil
  }

  /// Where the last good file may be: a file that is wrong elsewhere may still name the state directory.
  private var stateDirectories: [String] {
    var directories: [String] = []
    if case .success(let bytes) = GatewayConfiguration.read(path), let named = Self.stateDirectory(in: bytes) {
      directories.append(named)
    }
    directories.append(surroundings.stateDirectory ?? GatewayConfiguration.defaultStateDirectory)
    return directories
  }

  /// The value of a line `state_directory: /…`, whatever the rest of the file is.
  static func stateDirectory(in bytes: [UInt8]) -> String? {
    for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: "state_directory:".utf8) {
      var value = String(decoding: line.dropFirst("state_directory:".utf8.count), as: UTF8.self)[...]
      if let comment = value.range(of: " #") { value = value[..<comment.lowerBound] }
      let path = value.filter { !$0.isWhitespace && $0 != "\"" && $0 != "'" }
      if path.hasPrefix("/") { return path }
    }
    return nil
  }
}

extension Substring {
  /// Where `text` stands first.
  fileprivate func range(of text: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
      start = index(after: start)
    }
    return nil
  }
}
