internal import Logging
internal import ThingsBoard
internal import YAML

extension UploadOptions {
  init(_ link: ServerOptions.Link) {
    self.init()
    if link == .metered { interval = MeteredLink.uploadInterval }
  }

  init?(from reader: inout MappingReader, _ link: ServerOptions.Link) {
    self.init(link)
    if let interval = reader.duration("interval", in: Self.intervalRange) { self.interval = interval }
    if let count = reader.integer("max_batch", in: Self.maxBatchRange) { maxBatch = count }
    if let bytes = reader.size("max_bytes", in: Self.maxBytesRange) { maxBytes = bytes }
    guard reader.finish() else { return nil }
  }
}

/// `log:`.
struct LogOptions {
  var level = Logger.Level.info

  init() {}

  init?(from reader: inout MappingReader) {
    let levels: KeyValuePairs<String, Logger.Level> = [
      "debug": .debug, "info": .info, "notice": .notice, "warning": .warning, "error": .error,
    ]
    if let level = reader.word("level", of: levels) { self.level = level }
    guard reader.finish() else { return nil }
  }
}

/// `control:`.
struct ControlOptions {
  /// Bytes of the longest path a unix socket can have, unix(7).
  static let longestPath = 107

  var socket: String?

  init() {}

  init?(from reader: inout MappingReader) {
    socket = reader.absolutePath("socket", suchAs: "/run/baudgate/control.sock")
    if let socket, socket.utf8.count > Self.longestPath {
      reader.error(
        at: "socket", "\(reader.path(of: "socket")) is longer than the \(Self.longestPath) bytes a unix socket may have"
      )
    }
    guard reader.finish() else { return nil }
  }
}
