import EventLoop
import Foundation
import Testing

/// Readiness of descriptors, and signals.
@Suite struct IOSourceTests {
  @Test func itReportsUntilTheBytesAreRead() throws {
    let (calls, text) = try onLoop { loop in
      let sockets = try SocketPair()
      let calls = Holder(0)
      let text = Holder("")
      let done = Flag()
      let source = try IOSource(loop, descriptor: sockets.near, events: .readable) { events in
        #expect(events == .readable)
        calls.value = (calls.value ?? 0) + 1
        guard calls.value == 3 else { return }
        text.value = sockets.receive()
        done.signal()
      }
      try sockets.send("abc")
      await done.wait(on: loop)
      try await loop.sleep(for: .milliseconds(5))
      return withExtendedLifetime(source) { (calls.value, text.value) }
    }
    #expect(calls == 3)
    #expect(text == "abc")
  }

  @Test func whatItWaitsForCanChange() throws {
    let lines = try onLoop { loop in
      let sockets = try SocketPair()
      let notes = Notes()
      let source = Holder<IOSource>()
      let done = Flag()
      source.value = try IOSource(loop, descriptor: sockets.near, events: .readable) { events in
        if events.contains(.writable) {
          notes("writable")
          try? source.value?.wait(for: .readable)
          _ = try? sockets.send("x")
        } else {
          notes(sockets.receive())
          done.signal()
        }
      }
      try source.value?.wait(for: [.readable, .writable])
      await done.wait(on: loop)
      source.value = nil
      return notes.lines
    }
    #expect(lines == ["writable", "x"])
  }

  @Test func aHangUpIsReportedUnasked() throws {
    let events = try onLoop { loop in
      let sockets = try SocketPair()
      let seen = Holder<IOSource.Events>()
      let source = Holder<IOSource>()
      let done = Flag()
      source.value = try IOSource(loop, descriptor: sockets.near, events: []) { events in
        seen.value = events
        source.value = nil
        done.signal()
      }
      shutdown(sockets.far, CInt(SHUT_RDWR))
      await done.wait(on: loop)
      return seen.value
    }
    #expect(events == .hangup)
  }

  @Test func aReleasedOrDisabledSourceIsSilent() throws {
    let calls = try onLoop { loop in
      let (released, disabled) = (try SocketPair(), try SocketPair())
      let calls = Holder(0)
      let first = Holder<IOSource>()
      first.value = try IOSource(loop, descriptor: released.near, events: .readable) { _ in
        calls.value = (calls.value ?? 0) + 1
        // From within its own handler, with the bytes unread.
        first.value = nil
      }
      let second = try IOSource(loop, descriptor: disabled.near, events: .readable) { _ in
        calls.value = (calls.value ?? 0) + 100
      }
      try second.setEnabled(false)
      try released.send("x")
      try disabled.send("x")
      try await loop.sleep(for: .milliseconds(10))
      return withExtendedLifetime(second) { calls.value }
    }
    #expect(calls == 1)
  }

  @Test func aRegularFileCannotBeWatched() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("baudgate-\(UUID().uuidString)")
    try Data().write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let loop = try EventLoop()
    let descriptor = open(file.path, O_RDONLY)
    defer { close(descriptor) }
    #expect(throws: SystemError("sd_event_add_io", errno: EPERM)) {
      _ = try IOSource(loop, descriptor: descriptor, events: .readable) { _ in }
    }
  }

  /// On a thread of its own, whose signal mask goes with it.
  @Test func aSignalIsAnEvent() throws {
    let outcome = Holder<Bool>()
    let ended = DispatchSemaphore(value: 0)
    Thread {
      outcome.value = try? onLoop { loop in
        let arrived = Flag()
        let source = try SignalSource(loop, .hangup) { arrived.signal() }
        pthread_kill(pthread_self(), SIGHUP)
        await arrived.wait(on: loop)
        return withExtendedLifetime(source) { true }
      }
      ended.signal()
    }.start()
    ended.wait()
    #expect(outcome.value == true)
  }
}
