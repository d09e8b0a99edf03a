internal import EventLoop

// MARK: Writing

extension SerialPort {
  /// Sends bytes, after those of earlier writes.
  ///
  /// Returns when the driver has taken them all, before the last is on the line. Cancelling the caller does not take
  /// them back; what the driver has taken of a write that failed may still go out.
  ///
  /// - Throws: `PortError`: `.notOpen`; `.bufferFull` with more than 64 KiB or 256 writes waiting; `.timedOut` after
  ///   5 s; `.gone` or `.failed` when the port is lost meanwhile.
  public func write(_ bytes: [UInt8]) async throws(PortError) {
    let result: Result<Void, PortError> = await withCheckedContinuation { continuation in
      send(bytes) { continuation.resume(returning: $0) }
    }
    try result.get()
  }

  /// The same without a task.
  ///
  /// - Parameter then: Called once, on the loop; before this returns where the driver has room, and where it fails.
  func send(_ bytes: [UInt8], then: @escaping WriteToken) {
    guard connection != nil else {
      return then(.failure(PortError(code: .notOpen, message: "\(name) (\(options.path)) is not open")))
    }
    guard !bytes.isEmpty else { return then(.success(())) }
    guard outgoing.hasRoom(for: bytes.count) else {
      let message = "\(name): \(bytes.count) bytes refused, \(outgoing.byteCount) wait already"
      return then(.failure(PortError(code: .bufferFull, message: message)))
    }
    let isFirst = outgoing.isEmpty
    outgoing.append(bytes, deadline: Uptime.monotonic + timing.writeTimeout, token: then)
    if isFirst { sendOutgoing() }
  }

  /// The driver says that it has room.
  func resumeSending(to connection: Connection) {
    let before = bytesSent
    sendOutgoing()
    connection.emptyWrites = bytesSent == before ? connection.emptyWrites + 1 : 0
    guard connection.emptyWrites >= Self.brokenPromiseLimit else { return }
    lose(PortError(code: .failed, message: "\(place) says it has room and takes nothing; its driver is broken"))
  }

  private func sendOutgoing() {
    guard let connection else { return }
    do throws(PortError) {
      while let front = outgoing.front {
        let count = try connection.stream.write(front)
        if count <= 0 { break }
        bytesSent &+= UInt64(count)
        outgoing.advance(by: count)?(.success(()))
      }
      try waitForRoom(connection)
    } catch {
      lose(error)
    }
  }

  /// Asks to be told of room, and bounds the wait, exactly while something waits.
  private func waitForRoom(_ connection: Connection) throws(PortError) {
    let deadline = outgoing.nextDeadline
    // Armed anew only for another deadline: arming takes back an expiry that is due but not dispatched.
    if deadline != connection.writeDeadline {
      connection.writeDeadline = deadline
      if let deadline { writeTimer?.arm(after: max(.zero, deadline - Uptime.monotonic)) } else { writeTimer?.disarm() }
    }
    let needsRoom = !outgoing.isEmpty
    guard needsRoom != connection.isWaitingForRoom else { return }
    do {
      try connection.source?.wait(for: needsRoom ? [.readable, .writable] : .readable)
      connection.isWaitingForRoom = needsRoom
    } catch {
      throw PortError(code: .failed, message: "cannot watch \(place)", cause: error)
    }
  }

  /// Ends the writes whose time is up.
  func expireWrites() {
    let error = PortError(
      code: .timedOut,
      message: """
        \(name) (\(place)) had no room for \(timing.writeTimeout); the other end holds the line \
        (`flow: \(options.flow.rawValue)`), or the adapter is stuck
        """)
    for token in outgoing.expire(at: Uptime.monotonic) { token(.failure(error)) }
    guard let connection else { return }
    connection.writeDeadline = nil
    do throws(PortError) { try waitForRoom(connection) } catch { lose(error) }
  }

  /// Ends all writes that wait.
  func failWrites(_ error: PortError) {
    writeTimer?.disarm()
    for token in outgoing.removeAll() { token(.failure(error)) }
  }
}
