import Foundation
import Testing

@testable import Simulator

/// The bus's thread and its two ports.
@Suite struct PacedBusTests {
  /// A program at one end.
  private final class End {
    let descriptor: CInt
    init(_ link: String) throws {
      descriptor = open(link, O_RDWR | O_NOCTTY)
      try #require(descriptor >= 0)
    }
    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) { #expect(write(descriptor, bytes, bytes.count) == bytes.count) }

    /// Waits for that many bytes; fewer after 10 s without any, or at the end.
    func take(_ count: Int) -> [UInt8] {
      var bytes: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 4096)
      while bytes.count < count {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 10_000) > 0 else { break }
        let taken = read(descriptor, &chunk, chunk.count)
        guard taken > 0 else { break }
        bytes += chunk.prefix(taken)
      }
      return bytes
    }
  }

  private static func withBus(
    _ change: (inout PacedBus.Options) -> Void = { _ in }, _ body: (PacedBus) throws -> Void
  ) throws {
    let directory = NSTemporaryDirectory() + "baudgate-bus-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var options = PacedBus.Options(baud: 115_200)
    change(&options)
    let bus = try PacedBus(link: "\(directory)/master", slaveLink: "\(directory)/slave", options)
    defer { bus.stop() }
    try body(bus)
  }

  @Test("Requests and answers go through, in their time") func carries() throws {
    try Self.withBus { bus in
      let (master, slave) = (try End(bus.link), try End(bus.slaveLink))
      let start = ContinuousClock.now
      let request = (0...255).map { UInt8($0) }
      for _ in 0..<5 {
        master.send(request)
        #expect(slave.take(256) == request)
        slave.send(request.reversed())
        #expect(master.take(256) == request.reversed())
      }
      #expect(ContinuousClock.now - start >= .seconds(1) * 11 * 2560 / 115_200)
      #expect(bus.counts == PacedBus.Counts(fromMaster: 1280, fromSlave: 1280))
    }
  }

  @Test("Byte by byte, with an echo, the bytes are the same") func echoesAndChops() throws {
    try Self.withBus({
      $0.echoes = true
      $0.receiver = .byteByByte
    }) { bus in
      let (master, slave) = (try End(bus.link), try End(bus.slaveLink))
      master.send([1, 2, 3])
      #expect(slave.take(3) == [1, 2, 3])
      slave.send([4, 5])
      #expect(master.take(5) == [1, 2, 3, 4, 5])
    }
  }

  @Test("Cut, the master's end hangs up and the slaves' stays; plugged in again, it goes on") func cuts() throws {
    try Self.withBus { bus in
      let slave = try End(bus.slaveLink)
      for turn in 0..<20 {
        let master = try End(bus.link)
        master.send([UInt8(turn)])
        #expect(slave.take(1) == [UInt8(turn)])
        bus.cut()
        #expect(!bus.isPlugged)
        #expect(!FileManager.default.fileExists(atPath: bus.link))
        #expect(master.take(1) == [])
        // Nobody is there to hear it.
        slave.send([1])
        while bus.counts.lost <= turn { usleep(1000) }
        try bus.plug()
      }
    }
  }

  @Test("stop() removes both ports, and may be called again") func stops() throws {
    try Self.withBus { bus in
      let master = try End(bus.link)
      bus.stop()
      #expect(master.take(1) == [])
      #expect(!FileManager.default.fileExists(atPath: bus.link))
      #expect(!FileManager.default.fileExists(atPath: bus.slaveLink))
    }
  }
}
