internal import ThingsBoard

/// Why there is no credential yet.
enum ProvisioningTrouble: Error, Sendable, Equatable {
  /// The provision key or secret is wrong; the server's words.
  case notFound(String)
  /// Definitely no device of ours; the server's words.
  case refused(String)
  /// The device exists, with credentials HTTP cannot use.
  case unusable(credentialsType: String)
  /// No answer that says whether the device exists.
  case request(DeviceAPIError)
  case file(CredentialFileError)
  case name(DeviceNameError)

  /// Whether it lasts until somebody changes something.
  var needsPerson: Bool {
    switch self {
    case .notFound, .refused, .unusable, .name: true
    case .request(let error): error.code.needsPerson || error.code == .poison
    // A full card may be emptied by what filled it.
    case .file(let error): error.code != .unwritable
    }
  }

  /// What log lines are limited by.
  var cause: String {
    switch self {
    case .notFound: "NOT_FOUND"
    case .refused: "FAILURE"
    case .unusable: "unusable"
    case .request(let error): "\(error.code)"
    case .file(let error): "file \(error.code)"
    case .name(let error): "name \(error)"
    }
  }

  /// What happened and what to do, for a person.
  ///
  /// - Parameters:
  ///   - server: Its URL.
  ///   - device: The name that was asked for; `nil` where the server makes one up.
  func words(server: String, device: String?) -> String {
    let device = device.map { "device \"\($0)\"" } ?? "a device"
    switch self {
    case .notFound(let answer):
      return """
        \(server) does not know the provision key or secret (NOT_FOUND: \(answer)); compare device.provision.key and \
        device.provision.secret with "Device provisioning" of the device profile
        """
    case .refused(let answer):
      return """
        \(server) refuses to provision \(device) (FAILURE: \(answer)): one of this name exists already, or it has to be \
        registered beforehand; delete it or register it there, or choose another device.name
        """
    case .unusable(let type):
      return """
        \(server) gives \(device) credentials of type \(type), which the HTTP API cannot use; set the device profile to \
        access tokens and delete the device there
        """
    case .request(let error): return "\(server) \(error.message), so \(device) is not provisioned yet"
    case .file(let error): return error.message
    case .name(let error): return error.description
    }
  }
}

/// Why `baudgate provision --force` came to nothing.
struct ProvisioningFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// What happened, what stays as it was, and what to do; holds no secret.
  let message: String
  var description: String { message }
}
