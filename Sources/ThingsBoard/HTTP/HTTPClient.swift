internal import CCurl
internal import EventLoop
internal import Glibc
internal import Telemetry

/// libcurl's multi interface on the event loop: any number of requests, no thread of their own.
///
/// Source: libcurl-multi(3), curl_multi_socket_action(3).
actor HTTPClient {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let loop: EventLoop
  private let server: ServerOptions
  private let multi: MultiHandle
  private let tally: SocketTally
  private var timer: TimerSource?
  private var isDueAtOnce = false
  private var sockets: [CInt: IOSource] = [:]
  private var running: [UnsafeMutableRawPointer: Transfer] = [:]
  private var idle: [Transfer] = []
  private var nextRequest: UInt64 = 0
  private var handles: [UInt64: Transfer] = [:]

  /// Easy handles kept for the next requests.
  private static let idleLimit = 4

  /// - Parameters:
  ///   - server: How it is reached: TLS and the proxy.
  ///   - userAgent: The product and version the server's log shows.
  init(on loop: EventLoop, server: ServerOptions, userAgent: String) throws(HTTPFailure) {
    self.loop = loop
    self.server = server
    tally = SocketTally(PeerWatch(probesSilence: server.link == .unmetered))
    multi = try MultiHandle(userAgent: userAgent)
  }

  /// What all connections have carried since the start.
  var traffic: Traffic { tally.traffic }

  /// Sends a request and waits for the whole answer.
  ///
  /// - Throws: `HTTPFailure`, `.cancelled` when the task is cancelled.
  func perform(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
    try bindOnce()
    let transfer = if let used = idle.popLast() { used } else { try Transfer() }
    try transfer.prepare(
      request, to: server, headers: request.method == .get ? multi.headers : multi.postHeaders,
      sockets: Unmanaged.passUnretained(tally).toOpaque())
    tally.countRequest()
    let id = nextRequest
    nextRequest &+= 1
    transfer.request = id
    handles[id] = transfer
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        transfer.continuation = continuation
        begin(transfer)
      }
    } onCancel: {
      loop.execute { self.assumeIsolated { $0.cancel(id) } }
    }
    handles[id] = nil
    return try result.get()
  }

  // MARK: Transfers

  private func begin(_ transfer: Transfer) {
    running[transfer.handle] = transfer
    let result = curl_multi_add_handle(multi.raw, transfer.handle)
    if result != CURLM_OK {
      finish(transfer, .failure(HTTPFailure(code: .other, message: String(cString: curl_multi_strerror(result)))))
    } else if Task.isCancelled {
      finish(transfer, .failure(HTTPFailure(code: .cancelled, message: "cancelled")))
    }
  }

  private func cancel(_ id: UInt64) {
    guard let transfer = handles[id], transfer.request == id, running[transfer.handle] != nil else { return }
    finish(transfer, .failure(HTTPFailure(code: .cancelled, message: "cancelled")))
  }

  private func finish(_ transfer: Transfer, _ result: Result<HTTPResponse, HTTPFailure>) {
    curl_multi_remove_handle(multi.raw, transfer.handle)
    running[transfer.handle] = nil
    let continuation = transfer.continuation
    transfer.continuation = nil
    if idle.count < Self.idleLimit { idle.append(transfer) }
    continuation?.resume(returning: result)
  }

  private func act(on socket: curl_socket_t, _ events: CInt) {
    var stillRunning: CInt = 0
    curl_multi_socket_action(multi.raw, socket, events, &stillRunning)
    var left: CInt = 0
    while let message = curl_multi_info_read(multi.raw, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let transfer = running[message.pointee.easy_handle] else { continue }
      finish(transfer, transfer.outcome(bg_message_result(message)))
    }
  }

  // MARK: What libcurl asks for

  /// libcurl gets pointers to `self`, which an initializer cannot give.
  private func bindOnce() throws(HTTPFailure) {
    guard timer == nil else { return }
    do {
      // curl counts in milliseconds; a late timer only delays a time-out.
      timer = try TimerSource(loop, accuracy: .milliseconds(1)) { [weak self] in
        self?.assumeIsolated { $0.act(on: CURL_SOCKET_TIMEOUT, 0) }
      }
    } catch { throw HTTPFailure(code: .other, message: error.description) }
    multi.bind(Unmanaged.passUnretained(self).toOpaque())
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

/// The multi handle and the header lists all requests share.
private struct MultiHandle: ~Copyable {
  let raw: UnsafeMutableRawPointer
  let headers: UnsafeMutablePointer<curl_slist>?
  /// For requests with a body.
  let postHeaders: UnsafeMutablePointer<curl_slist>?

  init(userAgent: String) throws(HTTPFailure) {
    guard curl_global_init(bg_global_all) == CURLE_OK, let raw = curl_multi_init() else {
      throw HTTPFailure(code: .other, message: "libcurl cannot start")
    }
    self.raw = raw
    let common = ["Accept: application/json", "User-Agent: \(oneLine(userAgent))"]
    headers = headerList(common)
    // An empty Expect keeps libcurl from waiting a second for "100 Continue" before a large body.
    postHeaders = headerList(common + ["Content-Type: application/json", "Expect:"])
  }

  deinit {
    bg_multi_set_socket_callback(raw, nil)
    bg_multi_set_timer_callback(raw, nil)
    curl_multi_cleanup(raw)
    curl_slist_free_all(headers)
    curl_slist_free_all(postHeaders)
  }

  func bind(_ context: UnsafeMutableRawPointer) {
    bg_multi_set_pointer(raw, CURLMOPT_SOCKETDATA, context)
    bg_multi_set_socket_callback(raw, socketChanged)
    bg_multi_set_pointer(raw, CURLMOPT_TIMERDATA, context)
    bg_multi_set_timer_callback(raw, timerChanged)
  }
}

private func headerList(_ lines: [String]) -> UnsafeMutablePointer<curl_slist>? {
  lines.reduce(nil) { list, line in curl_slist_append(list, line) ?? list }
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
