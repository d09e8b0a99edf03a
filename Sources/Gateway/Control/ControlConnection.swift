internal import EventLoop
internal import Glibc

/// One peer of the control socket. Owns its descriptor; belongs to `ControlSocket`.
final class ControlConnection {
  enum Event: Sendable {
    /// A whole line arrived, without its end.
    case request(String)
    /// Answered, gone or too slow: to be released.
    case over
  }

  private let descriptor: CInt
  private let handler: (Event) -> Void
  private var source: IOSource?
  private var deadline: TimerSource?
  private var input: [UInt8] = []
  private var output: ArraySlice<UInt8> = []
  private var hasAsked = false

  /// Takes over `descriptor`, unless it throws.
  init(_ loop: EventLoop, _ descriptor: CInt, handler: @escaping (Event) -> Void) throws(SystemError) {
    self.descriptor = descriptor
    self.handler = handler
    source = try IOSource(loop, descriptor: descriptor, events: .readable) { [weak self] events in
      self?.isReady(events)
    }
    deadline = try TimerSource(loop) { [weak self] in self?.end() }
    deadline?.arm(after: ControlSocket.patience)
  }

  deinit {
    // A failed init leaves the descriptor to its caller.
    guard source != nil, deadline != nil else { return }
    source = nil
    close(descriptor)
  }

  /// Sends the whole answer, then ends.
  func send(_ document: [UInt8]) {
    output = document[...]
    deadline?.arm(after: ControlSocket.patience)
    write()
  }

  private func isReady(_ events: IOSource.Events) {
    if !output.isEmpty { return write() }
    if !hasAsked { return read() }
    if !events.isDisjoint(with: [.hangup, .error]) { end() }
  }

  private func read() {
    var chunk = [UInt8](repeating: 0, count: 4096)
    let count = Glibc.read(descriptor, &chunk, chunk.count)
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
    guard count > 0, input.count + count <= ControlSocket.requestLimit else { return end() }
    input += chunk.prefix(count)
    guard let newline = input.firstIndex(of: UInt8(ascii: "\n")) else { return }
    hasAsked = true
    try? source?.wait(for: [])
    deadline?.arm(after: ControlSocket.answerLimit)
    handler(.request(String(decoding: input[..<newline], as: UTF8.self)))
  }

  private func write() {
    while !output.isEmpty {
      let count = output.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      if count < 0 {
        if errno == EINTR { continue }
        guard errno == EAGAIN else { return end() }
        try? source?.wait(for: .writable)
        return
      }
      output = output.dropFirst(count)
    }
    end()
  }

  private func end() {
    try? source?.setEnabled(false)
    deadline?.disarm()
    handler(.over)
  }
}
