import Configuration
import Foundation
import Testing

/// A file that was damaged, by an editor, a disk or on purpose, ends in a configuration or in messages, never in a trap.
@Suite struct NoiseTests {
  @Test func survivesADamagedFile() throws {
    let shipped = Array(try Data(contentsOf: URL(fileURLWithPath: "\(ShippedFileTests.directory)/baudgate.yaml")))
    // Without its comments, so that most of the damage hits something.
    let bytes = Array(
      String(decoding: shipped, as: UTF8.self).split(separator: "\n")
        .filter { !$0.drop { $0 == " " }.hasPrefix("# ") }
        .map { $0.replacing("#", with: "") }.joined(separator: "\n").utf8)
    let words = [
      "{", "}", "[", "]", ":", "- ", "\n", "  ", "&", "*", "'", "\"", "\\", "~", "9999999999999999999", "\u{0}",
    ]
    var state: UInt64 = 0x2545_F491_4F6C_DD1D
    func random(below bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(bound))
    }
    var valid = 0
    for _ in 0..<400 {
      var damaged = bytes
      for _ in 0...random(below: 3) {
        let place = random(below: damaged.count)
        switch random(below: 4) {
        case 0: damaged[place] = UInt8(random(below: 256))
        case 1: damaged.insert(contentsOf: words[random(below: words.count)].utf8, at: place)
        case 2: damaged.removeSubrange(place..<min(damaged.count, place + 1 + random(below: 20)))
        default: damaged.removeSubrange(place...)
        }
        if damaged.isEmpty { damaged = [0x20] }
      }
      switch GatewayConfiguration.load(damaged, file: "f", in: Surroundings()) {
      case .success: valid += 1
      case .failure(let errors): #expect(!errors.lines.isEmpty)
      }
    }
    // Both ends must have been reached, or the damage was of the wrong kind.
    #expect((1..<400).contains(valid))
  }
}
