public import EventLoop

/// Downloads packages from anywhere: what `fw_url` and `sw_url` name.
///
/// Goes on where an earlier download of the same file ended; follows redirects, never from https to http; takes as long as
/// bytes come. Certificates are verified against the system's authorities; what `server.tls` says holds for URLs of the
/// ThingsBoard server alone. No error holds the URL or a part of it.
///
/// Source: RFC 9110, 13.1.5 (If-Range), 14 (ranges), 15.4 (redirects).
public actor PackageDownload {
  public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// Redirects that are followed, one after the other.
  public static let mostRedirects = 5
  /// Bytes a receiver gets at once.
  public static let longestPiece = BodyStream.window
  /// Slower, for longer, is a connection that is given up.
  static let slowest = SlowestPace(rate: 64, patience: .seconds(60))

  private let loop: EventLoop
  private let server: ServerOptions
  private let userAgent: String
  private let slowest: SlowestPace
  private var carried = Traffic()

  /// - Parameters:
  ///   - loop: Where everything runs.
  ///   - server: The ThingsBoard server: its proxy is used for all, its TLS options for itself.
  public init(on loop: EventLoop, server: ServerOptions, userAgent: String = "baudgate") {
    self.init(on: loop, server: server, userAgent: userAgent, slowest: Self.slowest)
  }

  init(on loop: EventLoop, server: ServerOptions, userAgent: String = "baudgate", slowest: SlowestPace) {
    self.loop = loop
    self.server = server
    self.userAgent = userAgent
    self.slowest = slowest
  }

  /// What downloads have carried since the start.
  public func traffic() -> Traffic { carried }

  /// Downloads a file, or the rest of it: one attempt.
  ///
  /// - Parameters:
  ///   - url: http or https, absolute.
  ///   - offset: Bytes that are there already.
  ///   - validator: Of the file they are of, as `PackageStart` gave it; without it the download begins anew.
  ///   - limit: The most bytes the whole file may have.
  ///   - receiver: Keeps what it has when this throws, and resumes there.
  /// - Returns: Bytes of the whole file.
  /// - Throws: `DownloadFault`.
  public func fetch<Receiver: PackageReceiver>(
    _ url: Secret, from offset: Int64 = 0, validator: String? = nil, limit: Int64, to receiver: Receiver
  ) async throws(DownloadFault<Receiver.Failure>) -> Int64 {
    guard let address = PackageAddress(url.reveal()) else { throw .server(.notAnAddress) }
    var trip = DownloadTrip(
      address: address, offset: offset, validator: validator, limit: limit,
      mask: Mask(server.proxy.secrets + [url] + address.secrets))
    // Ends: each round follows one of so many redirects, or gives up resuming, which happens once.
    while true {
      switch try await attempt(trip, receiver) {
      case .done(let total): return total
      case .anew: trip.validator = nil
      case .elsewhere(let location):
        do throws(DeviceAPIError) { try trip.follow(location) } catch { throw .server(error) }
      }
    }
  }

  private enum Round {
    case done(Int64)
    /// From the beginning: the server does not continue, or has another file by now.
    case anew
    case elsewhere(String?)
  }

  private func attempt<Receiver: PackageReceiver>(
    _ trip: DownloadTrip, _ receiver: Receiver
  ) async throws(DownloadFault<Receiver.Failure>) -> Round {
    let result: Result<Round, DownloadFault<Receiver.Failure>>
    do throws(HTTPFailure) {
      let client = try HTTPClient(
        on: loop, server: options(for: trip.address), userAgent: userAgent, limits: .posts, traits: ServerTraits())
      let request = HTTPRequest(
        method: .get, url: trip.address.url, mayBeRepeated: true, accept: .file, headers: trip.headers, slowest: slowest
      )
      result = try await client.stream(request) { stream in await self.read(stream, trip, receiver) }
      carried = carried + (await client.traffic)
    } catch { throw .server(trip.error(error)) }
    return try result.get()
  }

  /// Reads one answer to its end.
  private func read<Receiver: PackageReceiver>(
    _ stream: BodyStream, _ trip: DownloadTrip, _ receiver: Receiver
  ) async -> Result<Round, DownloadFault<Receiver.Failure>> {
    var progress: DownloadProgress?
    do throws(DownloadFault<Receiver.Failure>) {
      while true {
        let step = await stream.next()
        if progress == nil, let head = stream.head {
          switch trip.meaning(of: head) {
          case .begin(let start):
            progress = DownloadProgress(start, limit: trip.limit)
            try await Self.tell { () async throws(Receiver.Failure) in try await receiver.begin(start) }
          case .complete(let start):
            try await Self.tell { () async throws(Receiver.Failure) in try await receiver.begin(start) }
            return .success(.done(start.offset))
          case .anew: return .success(.anew)
          case .elsewhere: return .success(.elsewhere(head.location))
          case .refused(let error): return .failure(.server(error))
          }
        }
        switch step {
        case .bytes(let bytes):
          if let error = progress?.take(bytes.count) { return .failure(.server(error)) }
          try await Self.tell { () async throws(Receiver.Failure) in try await receiver.receive(bytes) }
        case .end(.failure(let failure)): return .failure(.server(trip.error(failure)))
        case .end(.success):
          guard let progress else { return .failure(.server(.cutOff)) }
          if let error = progress.end() { return .failure(.server(error)) }
          return .success(.done(progress.offset))
        }
      }
    } catch { return .failure(error) }
  }

  private static func tell<Failure: Error>(
    _ body: () async throws(Failure) -> Void
  ) async throws(DownloadFault<Failure>) {
    do throws(Failure) { try await body() } catch { throw .receiver(error) }
  }

  /// Authorities, certificate, key and pin are for the one server they were configured for.
  private func options(for address: PackageAddress) -> ServerOptions {
    var options = server
    options.url = address.origin ?? server.url
    if !address.isOn(server.url) {
      options.tls = TLSOptions()
      options.tls.minimumVersion = server.tls.minimumVersion
    }
    return options
  }
}
