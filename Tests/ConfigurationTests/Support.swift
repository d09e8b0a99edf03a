import Configuration
import Foundation
import Testing

/// A configuration that is right; rows change a part of it.
enum Sample {
  static let server = "server: {url: http://127.0.0.1:8080}\n"
  static let device = "device: {token: A1}\n"
  static let head = server + device

  /// One sensor on one port, from line 3 on.
  static let sensors = """
    ports:
      arduino: {path: /dev/ttyUSB0}
    sensors:
      climate: {port: arduino, protocol: line, template: "T={t}"}

    """
}

/// A file and all messages it earns, errors and warnings apart.
struct Row: CustomTestStringConvertible {
  let testDescription: String
  let text: String
  let expected: [String]

  init(_ sentence: String, _ text: String, _ expected: String...) {
    testDescription = sentence
    self.text = text
    self.expected = expected
  }
}

func load(
  _ text: String, in surroundings: Surroundings = Surroundings()
) -> Result<GatewayConfiguration, ConfigurationErrors> {
  GatewayConfiguration.load(Array(text.utf8), file: "f", in: surroundings)
}

func errors(_ text: String, in surroundings: Surroundings = Surroundings()) -> [String] {
  switch load(text, in: surroundings) {
  case .success: []
  case .failure(let errors): errors.lines
  }
}

/// A fresh directory, gone with the test.
final class TemporaryDirectory {
  let path: String
  init() throws {
    path = NSTemporaryDirectory() + "baudgate-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
    let file = "\(path)/\(name)"
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    return file
  }
}
