import Telemetry

/// A protocol for tests. A question is `unit tag`; its answer `A5 unit tag 5A`, whatever stands before it.
enum Tiny {
  static func answer(_ unit: Int, _ tag: UInt8) -> [UInt8] { [0xA5, UInt8(unit), tag, 0x5A] }

  static func question(_ unit: Int, _ tag: UInt8 = 1) -> BusRequest {
    BusRequest([UInt8(unit), tag], unit: unit, finder: Finder(unit: UInt8(unit), tag: tag))
  }

  static func broadcast(_ tag: UInt8) -> BusRequest { BusRequest([0, tag], unit: 0, finder: nil) }

  struct Finder: AnswerFinder {
    let unit: UInt8
    let tag: UInt8
    private var last: [UInt8] = []
    private var count = 0

    init(unit: UInt8, tag: UInt8) { (self.unit, self.tag) = (unit, tag) }

    mutating func feed(_ bytes: [UInt8]) -> [UInt8]? {
      for byte in bytes {
        count += 1
        last = last.suffix(3) + [byte]
        if last == [0xA5, unit, tag, 0x5A] { return [unit, tag] }
      }
      return nil
    }

    var complaint: String? { count == 0 ? nil : "\(count) bytes came, none of them an answer" }
  }
}
