public import EventLoop
public import Telemetry

/// ThingsBoard's HTTP device API over libcurl: one connection, kept alive.
///
/// Source: contract.md §1–§2, §9.
public struct HTTPDeviceAPI: DeviceAPI {
  /// A batch that takes longer is given up and sent again: ThingsBoard itself answers within 30 s or not at all.
  public static let timeLimit = Duration.seconds(35)

  private let client: HTTPClient
  private let token: Secret
  private let base: String

  /// - Parameters:
  ///   - baseURL: `http(s)://HOST[:PORT][/BASE]`, without a slash at the end.
  ///   - token: The device's access token.
  ///   - userAgent: The product and version the server's log shows.
  /// - Throws: `DeviceAPIError` when libcurl cannot start.
  public init(
    on loop: EventLoop, baseURL: String, token: Secret, userAgent: String = "baudgate"
  ) throws(DeviceAPIError) {
    do throws(HTTPFailure) { client = try HTTPClient(on: loop, userAgent: userAgent) } catch {
      throw DeviceAPIError(.unreachable, error.message)
    }
    self.token = token
    base = baseURL
  }

  public func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {
    guard let body = TelemetryBody.make(batch) else { return }
    let request = HTTPRequest(method: .post, url: url("telemetry"), body: body, timeLimit: Self.timeLimit)
    let response: HTTPResponse
    do throws(HTTPFailure) { response = try await client.perform(request) } catch {
      throw DeviceAPIError(failure: error, secret: token)
    }
    if let error = TelemetryAnswer.error(in: response, secret: token) { throw error }
  }

  public func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) { throw .unsupported }

  public func traffic() async -> Traffic { await client.traffic }

  private func url(_ resource: String) -> Secret {
    Secret("\(base)/api/v1/\(percentEncoded(token.reveal()))/\(resource)")
  }
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
