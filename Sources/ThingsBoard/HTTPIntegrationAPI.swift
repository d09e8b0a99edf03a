public import EventLoop
public import Telemetry

/// ThingsBoard's HTTP integration: `POST /api/v1/integrations/http/KEY`, upward only.
///
/// The payload is this type's own, `{"deviceName":…,"telemetry":[{"ts":…,"values":{…}}]}` or
/// `{"deviceName":…,"attributes":{…}}`, the shape an uplink converter has to return: one that only adds `deviceType`
/// does (docs/thingsboard-library.md).
///
/// Source: contract.md §9; ThingsBoard Professional Edition, HTTP integration.
public struct HTTPIntegrationAPI: DeviceAPI {
  private let exchange: Exchange
  private let key: Secret
  /// `{"deviceName":"…",`, or `{` without a name.
  private let start: [UInt8]

  /// - Parameters:
  ///   - key: The integration's key, a part of its endpoint's URL.
  ///   - deviceName: The device readings belong to; `nil` leaves it to the converter.
  ///   - userAgent: The product and version the server's log shows.
  /// - Throws: `DeviceAPIError` when libcurl cannot start.
  public init(
    on loop: EventLoop, server: ServerOptions, key: Secret, deviceName: String?, userAgent: String = "baudgate"
  ) throws(DeviceAPIError) {
    let connections = try ServerConnections(on: loop, server: server, userAgent: userAgent)
    self.init(over: connections, key: key, deviceName: deviceName)
  }

  /// One device of several.
  init(over connections: ServerConnections, key: Secret, deviceName: String?) {
    exchange = connections.posts.forAnotherOwner
    self.key = key
    var start = Array("{".utf8)
    if let deviceName {
      start += "\"deviceName\":".utf8
      deviceName.appendJSON(to: &start)
      start.append(UInt8(ascii: ","))
    }
    self.start = start
  }

  public func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {
    guard let telemetry = TelemetryBody.make(batch) else { return }
    try await post("\"telemetry\":", telemetry)
  }

  public func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) {
    var values: [UInt8] = []
    guard appendValues(attributes, to: &values, refused: { _, _ in }) > 0 else { return }
    try await post("\"attributes\":", values)
  }

  public func traffic() async -> Traffic { await exchange.client.traffic }

  private func post(_ name: String, _ value: [UInt8]) async throws(DeviceAPIError) {
    let answer = try await exchange.ask(
      Exchange.Question(
        method: .post, resource: "integrations/http/\(percentEncoded(key.reveal()))",
        body: start + name.utf8 + value + [UInt8(ascii: "}")], cargo: .payload, secrets: [key]))
    if answer.response.status == 404 {
      throw answer.error(
        .notFound, "has no HTTP integration with this key here (404): check device.token, the key, and server.url")
    }
    if let refusal = answer.refusal { throw refusal }
    // An integration may answer with a few words of its own; a page is a portal's.
    if answer.isPage { throw answer.page }
    if answer.response.bodyWasCut { throw answer.misshapen("an integration's acknowledgement") }
  }
}
