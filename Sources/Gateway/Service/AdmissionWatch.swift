internal import EventLoop
internal import Synchronization
internal import Telemetry
internal import ThingsBoard

/// Passes everything on, and tells when the server takes this device again after it had not known it, and of each request
/// whether the server was reached.
///
/// Each way up and down retries at a pace of its own, slowly where a person must mend something, and the first that gets
/// through knows something for all. A device that was deleted and made anew has nothing of what it was told before, either.
final class AdmissionWatch: DeviceAPI {
  private struct State {
    var isRefused = false
    var onReturn: (@Sendable () -> Void)?
    var onContact: (@Sendable (ServerContact) -> Void)?
    var onDelivery: (@Sendable (Duration) -> Void)?
  }

  private let api: any DeviceAPI
  private let state = Mutex(State())

  init(_ api: any DeviceAPI) { self.api = api }

  /// Sets what is called after the first request that was taken again.
  func onReturn(_ body: (@Sendable () -> Void)?) { state.withLock { $0.onReturn = body } }

  /// Sets what is called at each request's end that says something of the way to the server; it should be quick.
  func onContact(_ body: (@Sendable (ServerContact) -> Void)?) { state.withLock { $0.onContact = body } }

  /// Sets what is called when readings or attributes were taken, with the time of `Uptime.monotonic` their request began.
  func onDelivery(_ body: (@Sendable (Duration) -> Void)?) { state.withLock { $0.onDelivery = body } }

  private func deliver(_ request: () async throws(DeviceAPIError) -> Void) async throws(DeviceAPIError) {
    let began = Uptime.monotonic
    try await watch(request)
    state.withLock { $0.onDelivery }?(began)
  }

  private func watch<Result: Sendable>(
    _ request: () async throws(DeviceAPIError) -> Result
  ) async throws(DeviceAPIError) -> Result {
    do throws(DeviceAPIError) {
      let result = try await request()
      taken()
      return result
    } catch {
      failed(error)
      throw error
    }
  }

  private func taken() {
    let (onContact, onReturn) = state.withLock { state in
      defer { state.isRefused = false }
      return (state.onContact, state.isRefused ? state.onReturn : nil)
    }
    onContact?(.reached)
    onReturn?()
  }

  private func failed(_ error: DeviceAPIError) {
    let onContact = state.withLock { state in
      if error.code == .unauthorized || error.code == .deviceDeleted { state.isRefused = true }
      return state.onContact
    }
    if let contact = ServerContact(error) { onContact?(contact) }
  }

  // MARK: DeviceAPI

  var hasDownlink: Bool { api.hasDownlink }

  func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {
    try await deliver { () async throws(DeviceAPIError) in try await api.postTelemetry(batch) }
  }
  func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) {
    try await deliver { () async throws(DeviceAPIError) in try await api.postAttributes(attributes) }
  }
  func attributes(client: [String]?, shared: [String]?) async throws(DeviceAPIError) -> AttributeSnapshot {
    try await watch { () async throws(DeviceAPIError) in try await api.attributes(client: client, shared: shared) }
  }
  func pollAttributes(for timeout: Duration) async throws(DeviceAPIError) -> AttributeUpdate? {
    try await watch { () async throws(DeviceAPIError) in try await api.pollAttributes(for: timeout) }
  }
  func pollCommand(for timeout: Duration) async throws(DeviceAPIError) -> ServerCommand? {
    try await watch { () async throws(DeviceAPIError) in try await api.pollCommand(for: timeout) }
  }
  func reply(_ reply: JSON, to id: CommandID) async throws(DeviceAPIError) {
    try await watch { () async throws(DeviceAPIError) in try await api.reply(reply, to: id) }
  }
  func call(_ method: String, params: JSON) async throws(DeviceAPIError) -> JSON {
    try await watch { () async throws(DeviceAPIError) in try await api.call(method, params: params) }
  }
  func claim(secret: Secret?, duration: Duration?) async throws(DeviceAPIError) {
    try await watch { () async throws(DeviceAPIError) in try await api.claim(secret: secret, duration: duration) }
  }
  func packageChunk(
    _ kind: PackageKind, title: String, version: String, chunk: Int, size: Int
  ) async throws(DeviceAPIError) -> [UInt8] {
    try await watch { () async throws(DeviceAPIError) in
      try await api.packageChunk(kind, title: title, version: version, chunk: chunk, size: size)
    }
  }
  func use(_ token: Secret) { api.use(token) }
  func traffic() async -> Traffic { await api.traffic() }
}
