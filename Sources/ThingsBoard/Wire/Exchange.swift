internal import EventLoop

/// Asks one server, and gives its answers and failures the form all APIs here share.
struct Exchange: Sendable {
  /// What takes longer is given up: ThingsBoard itself answers within 30 s or not at all.
  static let timeLimit = Duration.seconds(35)

  let client: HTTPClient
  private let base: String
  private let mask: Mask
  private let timeLimit: Duration
  /// Whose questions these are; a client's places are shared out between owners.
  private var owner = RequestOwner()

  /// - Parameters:
  ///   - limits: What the client may use.
  ///   - traits: Shared by all clients of this server.
  ///   - timeLimit: For questions that name none.
  init(
    on loop: EventLoop, server: ServerOptions, userAgent: String, limits: ClientLimits,
    traits: ServerTraits = ServerTraits(), timeLimit: Duration = Self.timeLimit
  ) throws(DeviceAPIError) {
    self.timeLimit = timeLimit
    do throws(HTTPFailure) {
      client = try HTTPClient(on: loop, server: server, userAgent: userAgent, limits: limits, traits: traits)
    } catch { throw DeviceAPIError(.unreachable, error.message) }
    base = server.url.description
    mask = Mask(server.proxy.secrets)
  }

  /// The same client for somebody else, or for another purpose: with places of its own.
  var forAnotherOwner: Exchange {
    var exchange = self
    exchange.owner = RequestOwner()
    return exchange
  }

  /// One request to a resource below `/api/v1/`.
  struct Question: Sendable {
    var method = HTTPRequest.Method.get
    /// Percent-encoded, with its query.
    var resource: String
    var body: [UInt8] = []
    var cargo = ServerAnswer.Cargo.nothing
    /// What no message may show.
    var secrets: [Secret]
    var timeLimit: Duration?
    var bodyLimit = HTTPResponse.bodyLimit
    var mayBeRepeated = true
    var accept = HTTPRequest.Accept.json
  }

  /// - Throws: `DeviceAPIError` where there was no answer; what an answer means is the caller's to read.
  func ask(_ question: Question) async throws(DeviceAPIError) -> ServerAnswer {
    do throws(HTTPFailure) { return try await attempt(question) } catch {
      throw DeviceAPIError(error, mask: mask + question.secrets)
    }
  }

  /// A long poll.
  ///
  /// - Returns: `nil` at its end without an answer.
  // Inlined for its memory, as `attempt`.
  @inline(__always)
  func poll(_ question: Question, asked: Duration, timing: Timing) async throws(DeviceAPIError) -> ServerAnswer? {
    let answer: ServerAnswer
    var question = question
    question.mayBeRepeated = false
    do throws(HTTPFailure) { answer = try await attempt(question) } catch {
      if timing.isEnd(error, asked: asked) { return nil }
      throw DeviceAPIError(error, mask: mask + question.secrets)
    }
    return try timing.isEnd(answer, asked: asked) ? nil : answer
  }

  // Inlined: each async call that waits keeps a kilobyte and more while a poll is open.
  @inline(__always)
  private func attempt(_ question: Question) async throws(HTTPFailure) -> ServerAnswer {
    let request = HTTPRequest(
      method: question.method, url: Secret("\(base)/api/v1/\(question.resource)"), owner: owner, body: question.body,
      timeLimit: question.timeLimit ?? timeLimit, mayBeRepeated: question.mayBeRepeated, bodyLimit: question.bodyLimit,
      accept: question.accept)
    let response = try await client.perform(request)
    return ServerAnswer(response, mask: mask + question.secrets, cargo: question.cargo)
  }
}
