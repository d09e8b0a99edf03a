internal import YAML

/// Whose a sensor, a line or a command is. Each owner has keys and commands of its own.
enum Owner: Hashable, CustomStringConvertible {
  case gateway
  /// An entry of `devices:`.
  case device(String)

  /// Reads `device` of a sensor's or a line's mapping.
  init(of node: YAMLNode) {
    if let name = node.member("device"), let text = name.text, !text.isEmpty, !name.isNull {
      self = .device(text)
    } else {
      self = .gateway
    }
  }

  /// As messages call it.
  var description: String {
    switch self {
    case .gateway: "the gateway"
    case .device(let name): "devices.\(name)"
    }
  }

  /// How messages call the owner's own `section`, `devices.pump.rpc`.
  func path(of section: String) -> String {
    switch self {
    case .gateway: section
    case .device(let name): "devices.\(name).\(section)"
    }
  }
}
