internal import Configuration
internal import EventLoop
internal import Logging
internal import Telemetry
internal import ThingsBoard

/// Who a device is to the server: the token somebody has put there, or the one the server grants.
struct Identity: Sendable {
  private let given: Secret?
  private let provisioner: Provisioner?
  private let secrets: SecretRegistry

  /// - Parameters:
  ///   - directory: Where the credential file is.
  ///   - disk: Where it is read and written.
  ///   - secrets: Learns what is granted, so that no log line shows it.
  init(
    on loop: EventLoop, _ device: DeviceOptions, _ access: ServerAccess, directory: String, disk: BlockingPool,
    secrets: SecretRegistry, log: Logger
  ) {
    self.secrets = secrets
    switch device.identity {
    case .token(let credential):
      given = credential.token
      provisioner = nil
    case .provision(let options):
      given = nil
      provisioner = Provisioner(
        on: loop, api: access.provisioningAPI(), options: options, deviceName: device.name,
        server: access.server.url.description, file: CredentialFile(directory: directory), disk: disk, log: log)
    }
  }

  /// Whether the server grants the token.
  var isProvisioned: Bool { provisioner != nil }

  /// The token, as soon as there is one.
  ///
  /// - Returns: `nil` only when the calling task was cancelled.
  func token() async -> Secret? {
    if let given { return given }
    let token = await provisioner?.credential()
    if let token { secrets.add(token) }
    return token
  }

  /// Asks the server for another token. A given one is never replaced.
  func provisionAnew() async -> Result<Secret, ProvisioningFailure> {
    guard let provisioner else {
      return .failure(
        ProvisioningFailure(
          message: """
            the token is given by device.token, token_file or credential and stays; to have the server grant one, put \
            device.provision in its place
            """))
    }
    let result = await provisioner.provisionAnew()
    if case .success(let token) = result { secrets.add(token) }
    return result
  }

  var status: Provisioner.Status? { get async { await provisioner?.status } }
}
