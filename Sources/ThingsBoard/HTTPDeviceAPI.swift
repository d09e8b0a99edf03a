public import EventLoop
internal import Synchronization
public import Telemetry

/// ThingsBoard's HTTP device API over libcurl: one connection, kept alive.
///
/// Source: contract.md §1–§2, §9.
public final class HTTPDeviceAPI: DeviceAPI {
  /// A batch that takes longer is given up and sent again: ThingsBoard itself answers within 30 s or not at all.
  public static let timeLimit = Duration.seconds(35)

  private let client: HTTPClient
  private let token: Mutex<Secret>
  private let base: String

  /// - Parameters:
  ///   - server: Where ThingsBoard is and how it is spoken to.
  ///   - token: The device's access token.
  ///   - userAgent: The product and version the server's log shows.
  /// - Throws: `DeviceAPIError` when libcurl cannot start.
  public init(
    on loop: EventLoop, server: ServerOptions, token: Secret, userAgent: String = "baudgate"
  ) throws(DeviceAPIError) {
    do throws(HTTPFailure) { client = try HTTPClient(on: loop, userAgent: userAgent) } catch {
      throw DeviceAPIError(.unreachable, error.message)
    }
    self.token = Mutex(token)
    base = server.url.description
  }

  public var hasDownlink: Bool { true }

  /// Replaces the token for requests from now on, after the device has been provisioned anew.
  public func use(_ token: Secret) { self.token.withLock { $0 = token } }

  public func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {
    guard let body = TelemetryBody.make(batch) else { return }
    let token = self.token.withLock { $0 }
    let url = Secret("\(base)/api/v1/\(percentEncoded(token.reveal()))/telemetry")
    let request = HTTPRequest(method: .post, url: url, body: body, timeLimit: Self.timeLimit)
    let response: HTTPResponse
    do throws(HTTPFailure) { response = try await client.perform(request) } catch {
      throw DeviceAPIError(failure: error, secret: token)
    }
    if let error = TelemetryAnswer.error(in: response, secret: token) { throw error }
  }

  public func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) { throw .unsupported }

  public func traffic() async -> Traffic { await client.traffic }
}

extension DeviceAPIError {
  init(failure: HTTPFailure, secret: Secret) {
    let words = secret.masked(in: failure.message)
    switch failure.code {
    case .cancelled: self.init(.cancelled, "the request was given up")
    case .nameResolution: self.init(.unreachable, "cannot be reached: \(words); check the network and its name server")
    case .tls: self.init(.unreachable, "cannot be reached: TLS failed: \(words)")
    case .timeout: self.init(.unreachable, "did not answer in time: \(words)")
    case .connection, .reset, .other: self.init(.unreachable, "cannot be reached: \(words)")
    }
  }
}
