import Foundation

/// The directory that stands for a GPIO chip, and who is wired to its inputs.
struct SimulatedChip: Sendable {
  /// How long a level must stand there before it counts.
  static let settling = Duration.milliseconds(20)

  let path: String

  /// - Parameter levels: Of inputs, from before the daemon starts.
  init(_ path: String, levels: [Int: Bool] = [:]) throws {
    self.path = path
    try make(levels)
  }

  func make(_ levels: [Int: Bool] = [:]) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (line, level) in levels { try set(line, level) }
  }

  func remove() throws { try FileManager.default.removeItem(atPath: path) }

  func set(_ line: Int, _ level: Bool) throws {
    let file = open("\(path)/line\(line)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
    guard file >= 0, pwrite(file, level ? "1" : "0", 1, 0) == 1 else {
      throw DaemonProcess.Failure("cannot write line\(line): \(String(cString: strerror(errno)))")
    }
    close(file)
  }

  /// What its file holds; empty without one.
  func level(_ line: Int) -> String { (try? String(contentsOfFile: "\(path)/line\(line)", encoding: .utf8)) ?? "" }
}

/// The counters' files as docs/gpio.md describes them.
enum CountFiles {
  private static let recordSize = 128
  private static let slotSize = 36_864

  /// Pulses by name in memory: all that were counted.
  static func inMemory(_ scratch: Scratch) -> [String: Int] {
    let bytes = contents(scratch.file("run/hot/.counters"))
    return records(bytes.dropFirst(recordSize))
  }

  /// Pulses by name on the card, and whether a stop in order wrote them; `nil` without a whole slot.
  static func onCard(_ scratch: Scratch) -> (pulses: [String: Int], isClean: Bool)? {
    let bytes = contents(scratch.file("state/counters"))
    let slots = [0, slotSize].compactMap { start -> ArraySlice<UInt8>? in
      guard bytes.count >= start + slotSize, bytes[start..<start + 4].elementsEqual([0xB4, 0x42, 0x47, 0x4E]) else {
        return nil
      }
      return bytes[start..<start + slotSize]
    }
    guard let newest = slots.max(by: { number($0, 16) < number($1, 16) }) else { return nil }
    return (records(newest.dropFirst(64)), newest[newest.startIndex + 5] & 1 == 1)
  }

  private static func contents(_ path: String) -> [UInt8] {
    (try? Data(contentsOf: URL(fileURLWithPath: path))).map(Array.init) ?? []
  }

  private static func records(_ bytes: ArraySlice<UInt8>) -> [String: Int] {
    var result: [String: Int] = [:]
    for start in stride(from: bytes.startIndex, to: bytes.endIndex - recordSize + 1, by: recordSize) {
      let record = bytes[start..<start + recordSize]
      let length = Int(record[start + 5])
      guard record[start + 4] == 1, length <= recordSize - 64 else { continue }
      result[String(decoding: record[(start + 64)..<(start + 64 + length)], as: UTF8.self)] = Int(number(record, 16))
    }
    return result
  }

  private static func number(_ bytes: ArraySlice<UInt8>, _ offset: Int) -> UInt64 {
    let start = bytes.startIndex + offset
    return bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
