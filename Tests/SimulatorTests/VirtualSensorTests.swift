import Foundation
import Simulator
import Testing

@Suite struct VirtualSensorTests {
  @Test("Every line arrives whole, in order and counted, also when the reader is slow at first")
  func deliversEverything() throws {
    try withSensor(.uart(baud: 3_000_000), lines: 3000) { sensor in
      sensor.send("\n")
      sensor.resume()
      let reader = try LineReader(sensor.link)
      // More than the kernel holds for a reader that does not read: the line waits.
      while sensor.unread < 4000 && !sensor.isFinished { usleep(1000) }
      let lines = reader.lines(3001)
      #expect(lines == [""] + (0..<3000).map { "N=\($0),T=21.5" })
      sensor.pause()
      #expect(sensor.linesSent == 3000)
      #expect(sensor.isFinished)
      #expect(sensor.abandoned.isEmpty)
    }
  }

  @Test("A line is never faster than 11 bit times a character")
  func paced() throws {
    try withSensor(.usbAdapter(baud: 115_200), lines: 40) { sensor in
      let reader = try LineReader(sensor.link)
      let start = ContinuousClock.now
      sensor.resume()
      let lines = reader.lines(40)
      let bytes = lines.reduce(0) { $0 + $1.utf8.count + 1 }
      #expect(ContinuousClock.now - start >= .seconds(1) * 11 * bytes / 115_200)
    }
  }

  @Test("pause() returns when the line under way is written, and resume() goes on with the next")
  func pauses() throws {
    try withSensor(.uart(baud: 115_200), lines: 1_000_000) { sensor in
      let reader = try LineReader(sensor.link)
      sensor.resume()
      let first = reader.lines(5)
      sensor.pause()
      let sent = sensor.linesSent
      #expect((first + reader.lines(sent - 5)).last == "N=\(sent - 1),T=21.5")
      #expect(sensor.unread == 0)
      sensor.resume()
      #expect(reader.lines(1) == ["N=\(sent),T=21.5"])
    }
  }

  @Test(
    "Unplugged, the reader's end hangs up and the link is gone; plugged in again, a new line is under the same link")
  func unplugs() throws {
    try withSensor(.uart(baud: 115_200), lines: 1_000_000) { sensor in
      let reader = try LineReader(sensor.link)
      sensor.resume()
      _ = reader.lines(5)
      sensor.unplug()
      #expect(reader.readsToTheEnd())
      #expect(!FileManager.default.fileExists(atPath: sensor.link))
      #expect(!sensor.isPlugged)
      let sent = sensor.linesSent
      try sensor.plug()
      let again = try LineReader(sensor.link)
      #expect(again.lines(1) == ["N=\(sent + sensor.abandoned.count),T=21.5"])
    }
  }

  @Test("stop() does not wait for a reader that never reads")
  func stops() throws {
    try withSensor(.uart(baud: 10_000_000), lines: 1_000_000) { sensor in
      sensor.resume()
      while sensor.unread < 4000 { usleep(1000) }
      sensor.stop()
      #expect(!FileManager.default.fileExists(atPath: sensor.link))
    }
  }

  private func withSensor(_ timing: WireTiming, lines: Int, _ body: (VirtualSensor) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("baudgate-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let sensor = try VirtualSensor(link: directory.appendingPathComponent("tty").path, timing: timing, rate: 0) {
      $0 < lines ? "N=\($0),T=21.5\n" : nil
    }
    defer { sensor.stop() }
    try body(sensor)
  }
}

/// The daemon's end of a line.
private final class LineReader {
  private let descriptor: CInt
  private var buffer: [UInt8] = []

  init(_ path: String) throws {
    descriptor = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    if descriptor < 0 { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
  }

  deinit { close(descriptor) }

  /// The next lines without their ends; fewer when the line hangs up.
  func lines(_ count: Int) -> [String] {
    var lines: [String] = []
    while lines.count < count {
      if let end = buffer.firstIndex(of: 0x0A) {
        lines.append(String(decoding: buffer[..<end], as: UTF8.self))
        buffer.removeFirst(end + 1)
      } else if !fill() {
        return lines
      }
    }
    return lines
  }

  func readsToTheEnd() -> Bool {
    while fill() {}
    return true
  }

  private func fill() -> Bool {
    var chunk = [UInt8](repeating: 0, count: 4096)
    let count = read(descriptor, &chunk, chunk.count)
    guard count > 0 else { return false }
    buffer += chunk.prefix(count)
    return true
  }
}
