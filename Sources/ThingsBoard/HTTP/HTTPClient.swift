internal import CCurl
internal import EventLoop
internal import Glibc
internal import Telemetry

/// libcurl's multi interface on the event loop: any number of requests, no thread of their own.
///
/// A request passes two gates: `RequestGate` bounds what is under way, `LaunchGate` has connections shared. The time spent
/// there is not the request's: its time limit begins behind them. Where the server cannot be reached, all that wait
/// there learn it with the one that tried.
///
/// Source: libcurl-multi(3), curl_multi_socket_action(3).
actor HTTPClient {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private typealias Continuation = CheckedContinuation<Result<HTTPResponse, HTTPFailure>, Never>

  private let loop: EventLoop
  private let server: ServerOptions
  private let limits: ClientLimits
  private let traits: ServerTraits
  private let multi: MultiHandle
  private let tally: SocketTally
  private var timer: TimerSource?
  private var launchTimer: TimerSource?
  private var isDueAtOnce = false
  private var sockets: [CInt: IOSource] = [:]
  private var gate: RequestGate
  private var launches: LaunchGate
  /// What waits at one of the gates.
  private var waiting: [UInt64: (request: HTTPRequest, continuation: Continuation)] = [:]
  private var running: [UnsafeMutableRawPointer: Transfer] = [:]
  private var handles: [UInt64: Transfer] = [:]
  /// Those that began and are not known to have been sent.
  private var unsent: Set<UInt64> = []
  private var idle: [Transfer] = []
  private var nextRequest: UInt64 = 0

  /// Easy handles kept for the next requests; making one takes microseconds.
  private static let idleLimit = 4

  /// - Parameters:
  ///   - server: How it is reached: TLS and the proxy.
  ///   - userAgent: The product and version the server's log shows.
  ///   - limits: What it may use.
  ///   - traits: Shared with the server's other clients, all on this loop.
  init(
    on loop: EventLoop, server: ServerOptions, userAgent: String, limits: ClientLimits, traits: ServerTraits
  ) throws(HTTPFailure) {
    self.loop = loop
    self.server = server
    self.limits = limits
    self.traits = traits
    tally = SocketTally(PeerWatch(probesSilence: server.link == .unmetered))
    multi = try MultiHandle(userAgent: userAgent)
    gate = RequestGate(
      places: limits.places, placesPerOwner: limits.placesPerOwner, longestQueue: limits.longestQueue)
    launches = LaunchGate(sharesConnections: server.url.scheme == .https)
  }

  /// What all connections have carried since the start.
  var traffic: Traffic { tally.traffic }

  /// Sends a request and waits for the whole answer.
  ///
  /// - Throws: `HTTPFailure`, `.cancelled` when the task is cancelled.
  func perform(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
    try bindOnce()
    let id = nextRequest
    nextRequest &+= 1
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in enter(id, request, continuation) }
    } onCancel: {
      loop.execute { self.assumeIsolated { $0.cancel(id) } }
    }
    return try result.get()
  }

  /// Sends a request whose answer, if it is granted, goes to `stream` piece by piece. It waits at no gate.
  ///
  /// - Parameter body: Reads the stream to its end or as far as it likes; the request ends with it.
  func stream<Result: Sendable>(
    _ request: HTTPRequest, _ body: @Sendable (BodyStream) async -> Result
  ) async throws(HTTPFailure) -> Result {
    try bindOnce()
    let transfer = try Transfer()
    let stream = BodyStream()
    try transfer.prepare(
      request, into: stream, to: server, headers: multi.lines(request),
      sockets: Unmanaged.passUnretained(tally).toOpaque(), traits: traits)
    tally.countRequest()
    stream.onRoom = { [weak transfer] in transfer?.resume() }
    running[transfer.handle] = transfer
    let result = curl_multi_add_handle(multi.raw, transfer.handle)
    if result != CURLM_OK {
      finish(transfer, .failure(HTTPFailure(code: .other, message: String(cString: curl_multi_strerror(result)))))
    } else if Task.isCancelled {
      finish(transfer, .failure(.cancelled))
    }
    // The reader is called back by nobody else, so that it also hears of the cancellation.
    let outcome = await withTaskCancellationHandler {
      await body(stream)
    } onCancel: {
      loop.execute { self.assumeIsolated { $0.end(stream) } }
    }
    end(stream)
    return outcome
  }

  private func end(_ stream: BodyStream) {
    guard let transfer = running.values.first(where: { $0.stream === stream }) else { return }
    finish(transfer, .failure(.cancelled))
  }

  // MARK: At the gates

  private func enter(_ id: UInt64, _ request: HTTPRequest, _ continuation: Continuation) {
    // Cancelled earlier, it was not there to be found.
    guard !Task.isCancelled else { return continuation.resume(returning: .failure(.cancelled)) }
    switch gate.enter(id, of: request.owner) {
    case .full: return continuation.resume(returning: .failure(.overfull(limits.longestQueue)))
    case .admitted: launches.enter(id)
    case .waits: break
    }
    waiting[id] = (request, continuation)
    launch()
  }

  /// Begins what may look for a connection now.
  private func launch() {
    launches.sharesConnections = server.url.scheme == .https && !traits.speaksHTTP1
    while let id = launches.next(at: Uptime.monotonic) { begin(id) }
    if let due = launches.due { launchTimer?.arm(after: due - Uptime.monotonic) } else { launchTimer?.disarm() }
  }

  /// A request is over: its places are the next one's.
  private func leave(_ id: UInt64) {
    unsent.remove(id)
    launches.leave(id)
    for next in gate.leave(id) { launches.enter(next) }
  }

  /// Fails what waits at the gates: it would have to use the connection that could not be opened.
  private func dismiss(_ failure: HTTPFailure) {
    for id in gate.dismiss() + launches.dismiss() {
      guard let (_, continuation) = waiting.removeValue(forKey: id) else { continue }
      leave(id)
      continuation.resume(returning: .failure(failure))
    }
  }

  // MARK: Transfers

  private func begin(_ id: UInt64) {
    guard let (request, continuation) = waiting.removeValue(forKey: id) else { return leave(id) }
    do throws(HTTPFailure) {
      let transfer = if let used = idle.popLast() { used } else { try Transfer() }
      try transfer.prepare(
        request, to: server, headers: multi.headers(for: request),
        sockets: Unmanaged.passUnretained(tally).toOpaque(), receiveBuffer: limits.receiveBuffer, traits: traits)
      tally.countRequest()
      transfer.request = id
      transfer.continuation = continuation
      handles[id] = transfer
      unsent.insert(id)
      running[transfer.handle] = transfer
      multi.keepConnections(running.count + limits.idleConnections)
      let result = curl_multi_add_handle(multi.raw, transfer.handle)
      if result != CURLM_OK {
        finish(transfer, .failure(HTTPFailure(code: .other, message: String(cString: curl_multi_strerror(result)))))
      }
    } catch {
      leave(id)
      continuation.resume(returning: .failure(error))
    }
  }

  private func cancel(_ id: UInt64) {
    if let (_, continuation) = waiting.removeValue(forKey: id) {
      leave(id)
      continuation.resume(returning: .failure(.cancelled))
    } else if let transfer = handles[id] {
      finish(transfer, .failure(.cancelled))
    }
    launch()
  }

  private func finish(_ transfer: Transfer, _ result: Result<HTTPResponse, HTTPFailure>) {
    if let stream = transfer.stream {
      curl_multi_remove_handle(multi.raw, transfer.handle)
      running[transfer.handle] = nil
      return stream.end(result)
    }
    let id = transfer.request
    let continuation = transfer.continuation
    // A failure may show the version of a proxy's answer.
    if case .success = result {
      if transfer.usedHTTP1, server.url.scheme == .https { traits.speaksHTTP1 = true }
      if transfer.usedHTTP2 { traits.speaksHTTP1 = false }
    }
    curl_multi_remove_handle(multi.raw, transfer.handle)
    running[transfer.handle] = nil
    handles[id] = nil
    if case .failure(let failure) = result, failure.code != .cancelled, !transfer.wasSent, launches.isLooking(id) {
      dismiss(failure)
    }
    leave(id)
    transfer.rest()
    if idle.count < Self.idleLimit { idle.append(transfer) }
    multi.keepConnections(running.count + limits.idleConnections)
    continuation?.resume(returning: result)
  }

  private func act(on socket: curl_socket_t, _ events: CInt) {
    var stillRunning: CInt = 0
    curl_multi_socket_action(multi.raw, socket, events, &stillRunning)
    noteSent()
    var left: CInt = 0
    while let message = curl_multi_info_read(multi.raw, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let transfer = running[message.pointee.easy_handle] else { continue }
      finish(transfer, transfer.outcome(bg_message_result(message)))
    }
    launch()
  }

  /// Few are unsent at a time: `LaunchGate` sees to that.
  private func noteSent() {
    for id in unsent where handles[id]?.wasSent == true {
      unsent.remove(id)
      launches.sent(id, at: Uptime.monotonic, connections: tally.connections)
    }
  }

  // MARK: What libcurl asks for

  /// libcurl gets pointers to `self`, which an initializer cannot give.
  private func bindOnce() throws(HTTPFailure) {
    guard timer == nil || launchTimer == nil else { return }
    do {
      // curl counts in milliseconds; a late timer only delays a time-out.
      timer = try TimerSource(loop, accuracy: .milliseconds(1)) { [weak self] in
        self?.assumeIsolated { $0.act(on: CURL_SOCKET_TIMEOUT, 0) }
      }
      launchTimer = try TimerSource(loop, accuracy: .milliseconds(5)) { [weak self] in
        self?.assumeIsolated { $0.launch() }
      }
    } catch { throw HTTPFailure(code: .other, message: error.description) }
    multi.bind(
      Unmanaged.passUnretained(self).toOpaque(), socketChanged: socketChanged, timerChanged: timerChanged)
  }

  fileprivate func watch(_ socket: CInt, _ what: CInt) {
    let wanted: IOSource.Events
    switch what {
    case CURL_POLL_IN: wanted = .readable
    case CURL_POLL_OUT: wanted = .writable
    case CURL_POLL_INOUT: wanted = [.readable, .writable]
    default: return unwatch(socket)
    }
    do {
      if let source = sockets[socket] { return try source.wait(for: wanted) }
      sockets[socket] = try IOSource(loop, descriptor: socket, events: wanted) { [weak self] events in
        self?.assumeIsolated { $0.socketIsReady(socket, events) }
      }
    } catch {
      // Unwatched, the transfer ends by its time limit: bounded, and told as a time-out.
      unwatch(socket)
    }
  }

  /// libcurl closes the socket next, and its number may be a new one's before this event is over, which keeps the source
  /// alive: it must have left epoll by then, or it would take the new socket with it when it goes.
  private func unwatch(_ socket: CInt) {
    // Fails only for a loop that has ended.
    try? sockets[socket]?.setEnabled(false)
    sockets[socket] = nil
  }

  private func socketIsReady(_ socket: CInt, _ events: IOSource.Events) {
    var mask: CInt = 0
    if events.contains(.readable) { mask |= CURL_CSELECT_IN }
    if events.contains(.writable) { mask |= CURL_CSELECT_OUT }
    if !events.isDisjoint(with: [.hangup, .error]) { mask |= CURL_CSELECT_ERR }
    act(on: socket, mask)
  }

  fileprivate func setTimer(milliseconds: Int) {
    if milliseconds != 0 { isDueAtOnce = false }
    switch milliseconds {
    case ..<0: timer?.disarm()
    case 0:
      // A timer would cost a wake-up and a millisecond; libcurl must not be entered from its own callback.
      timer?.disarm()
      if isDueAtOnce { return }
      isDueAtOnce = true
      loop.execute { [weak self] in self?.assumeIsolated { $0.actIfDue() } }
    default: timer?.arm(after: .milliseconds(milliseconds))
    }
  }

  private func actIfDue() {
    guard isDueAtOnce else { return }
    isDueAtOnce = false
    act(on: CURL_SOCKET_TIMEOUT, 0)
  }
}

private func socketChanged(
  _: UnsafeMutableRawPointer?, _ socket: curl_socket_t, _ what: CInt, _ context: UnsafeMutableRawPointer?,
  _: UnsafeMutableRawPointer?
) -> CInt {
  guard let context else { return 0 }
  Unmanaged<HTTPClient>.fromOpaque(context).takeUnretainedValue().assumeIsolated { $0.watch(socket, what) }
  return 0
}

private func timerChanged(_: UnsafeMutableRawPointer?, _ milliseconds: Int, _ context: UnsafeMutableRawPointer?) -> CInt
{
  guard let context else { return 0 }
  Unmanaged<HTTPClient>.fromOpaque(context).takeUnretainedValue().assumeIsolated {
    $0.setTimer(milliseconds: milliseconds)
  }
  return 0
}
