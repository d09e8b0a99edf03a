internal import CKernel
internal import EventLoop
internal import Glibc
internal import Logging

/// A unix socket in the runtime directory: one request line in, one JSON document out, then the end.
///
/// Who may ask is decided twice: by the socket's mode (0660) and by the peer's credentials.
actor ControlSocket {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// Connections served at a time; more wait in the kernel's backlog.
  static let connectionLimit = 8
  /// A request line's bytes: a call's parameters are 64 KiB at most.
  static let requestLimit = 128 << 10
  /// How long a peer may take to ask and to read.
  static let patience = Duration.seconds(5)
  /// How long an answer may take: a call to the server waits for its rule chain, 60 s by default.
  static let answerLimit = Duration.seconds(90)

  /// How long nobody is let in where the process has no descriptor left; a listener that stays readable would spin.
  static let shortageRetry = Duration.seconds(1)

  private let loop: EventLoop
  private let path: String
  private let log: Logger
  private let answer: @Sendable (String) async -> [UInt8]
  private var listener: CInt = -1
  private var source: IOSource?
  private var retry: TimerSource?
  private var connections: [CInt: ControlConnection] = [:]

  /// - Parameters:
  ///   - path: Where the socket is made; one left over by a killed daemon is replaced.
  ///   - answer: Answers one request line.
  init(on loop: EventLoop, path: String, log: Logger, answer: @escaping @Sendable (String) async -> [UInt8]) {
    self.loop = loop
    self.path = path
    self.log = log
    self.answer = answer
  }

  /// - Throws: `SystemError`; the daemon goes on without a control socket.
  func start() throws(SystemError) {
    // The state directory's lock is held, so a socket here is a leftover.
    unlink(path)
    listener = try check("bind \(path)") { bg_unix_listen(path, 16) }
    // Not by umask(2), which is the whole process's: the disk thread may be making a directory.
    try check("chmod \(path)") { chmod(path, 0o660) }
    retry = try TimerSource(loop) { [weak self] in self?.assumeIsolated { $0.admitAgain() } }
    source = try IOSource(loop, descriptor: listener, events: .readable) { [weak self] _ in
      self?.assumeIsolated { $0.accept() }
    }
  }

  func stop() {
    source = nil
    retry = nil
    connections = [:]
    if listener >= 0 {
      close(listener)
      unlink(path)
    }
    listener = -1
  }

  private func accept() {
    let descriptor = bg_unix_accept(listener)
    guard descriptor >= 0 else {
      if [EAGAIN, EINTR, ECONNABORTED].contains(errno) { return }
      try? source?.setEnabled(false)
      retry?.arm(after: Self.shortageRetry)
      return
    }
    guard isAllowed(descriptor) else {
      close(descriptor)
      return
    }
    do throws(SystemError) {
      connections[descriptor] = try ControlConnection(loop, descriptor) { [weak self] event in
        self?.assumeIsolated { $0.handle(event, on: descriptor) }
      }
    } catch { close(descriptor) }
    if connections.count >= Self.connectionLimit { try? source?.setEnabled(false) }
  }

  /// root, the daemon's own user, and the members of its group.
  private func isAllowed(_ descriptor: CInt) -> Bool {
    var pid: pid_t = 0
    var uid: uid_t = 0
    var gid: gid_t = 0
    guard bg_peer_credentials(descriptor, &pid, &uid, &gid) == 0 else { return false }
    if uid == 0 || uid == geteuid() || bg_peer_in_group(descriptor, getegid()) == 1 { return true }
    log.warning("refused uid \(uid) (pid \(pid)) on the control socket; add the user to the daemon's group to allow it")
    return false
  }

  private func handle(_ event: ControlConnection.Event, on descriptor: CInt) {
    switch event {
    case .request(let line):
      Task(executorPreference: loop) { await self.reply(to: line, on: descriptor) }
    case .over:
      connections[descriptor] = nil
      admitAgain()
    }
  }

  private func admitAgain() {
    if connections.count < Self.connectionLimit { try? source?.setEnabled(true) }
  }

  private func reply(to line: String, on descriptor: CInt) async {
    guard let connection = connections[descriptor] else { return }
    let document = await answer(line)
    // The descriptor may belong to another peer by now.
    guard connections[descriptor] === connection else { return }
    connection.send(document)
  }
}
