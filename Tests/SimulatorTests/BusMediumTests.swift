import Testing

@testable import Simulator

/// What arrives when, on a line of 11,000 bits per second: a character is a millisecond.
@Suite struct BusMediumTests {
  static let millisecond: UInt64 = 1_000_000

  static func medium(_ change: (inout PacedBus.Options) -> Void = { _ in }) -> BusMedium {
    var options = PacedBus.Options(baud: 11_000)
    options.receiver = .byteByByte
    options.keepsPassages = true
    change(&options)
    return BusMedium(options)
  }

  /// All that arrives, as `time: bytes`, times in milliseconds.
  static func arrivals(_ medium: inout BusMedium) -> (master: [String], slave: [String]) {
    var (master, slave): ([String], [String]) = ([], [])
    while let due = medium.due {
      let (forMaster, forSlave) = medium.take(at: due)
      let time = Double(due) / Double(millisecond)
      if !forMaster.isEmpty { master.append("\(time): \(forMaster)") }
      if !forSlave.isEmpty { slave.append("\(time): \(forSlave)") }
    }
    return (master, slave)
  }

  @Test("Each byte is there when its stop bit is over, at the slave within a FIFO's millisecond")
  func paces() {
    var medium = Self.medium()
    medium.send([1, 2, 3], from: .master, at: 0)
    medium.send([9], from: .slave, at: 10 * Self.millisecond)
    let (master, slave) = Self.arrivals(&medium)
    #expect(slave == ["2.0: [1, 2]", "4.0: [3]"])
    #expect(master == ["11.0: [9]"])
    #expect(medium.counts == PacedBus.Counts(fromMaster: 3, fromSlave: 1))
    #expect(
      medium.passages == [
        .init(from: .master, bytes: [1, 2, 3], start: 0, end: 3 * Self.millisecond),
        .init(from: .slave, bytes: [9], start: 10 * Self.millisecond, end: 11 * Self.millisecond),
      ])
  }

  @Test("What is handed over before the wire is free joins what is on it")
  func queues() {
    var medium = Self.medium()
    medium.send([1, 2], from: .slave, at: 0)
    medium.send([3], from: .slave, at: Self.millisecond)
    #expect(Self.arrivals(&medium).master == ["1.0: [1]", "2.0: [2]", "3.0: [3]"])
    #expect(medium.passages.map(\.bytes) == [[1, 2, 3]])
  }

  @Test("A USB adapter holds bytes back until its time is over or its packet full")
  func bursts() {
    var medium = Self.medium { $0.receiver = .burst(.milliseconds(16)) }
    medium.send(Array(0..<70), from: .slave, at: 0)
    let first: [UInt8] = Array(0..<17)
    let (master, _) = Self.arrivals(&medium)
    #expect(master.first == "17.0: \(first)")
    #expect(master.count == 5)
    var fast = Self.medium {
      $0.baud = 1_100_000
      $0.receiver = .burst(.milliseconds(16))
    }
    fast.send(Array(0..<70), from: .slave, at: 0)
    let packet: [UInt8] = Array(0..<62)
    #expect(Self.arrivals(&fast).master.first == "0.62: \(packet)")
  }

  @Test("The master hears itself where the line echoes")
  func echoes() {
    var medium = Self.medium { $0.echoes = true }
    medium.send([1, 2], from: .master, at: 0)
    medium.send([9], from: .slave, at: 3 * Self.millisecond)
    #expect(Self.arrivals(&medium).master == ["1.0: [1]", "2.0: [2]", "4.0: [9]"])
    #expect(medium.counts.collisions == 0)
  }

  @Test("Two who send at once spoil what overlaps, and it is counted")
  func collides() {
    var medium = Self.medium { $0.receiver = .uart }
    medium.send([1, 2, 3, 4], from: .master, at: 0)
    medium.send([9], from: .slave, at: 2 * Self.millisecond)
    let (master, slave) = Self.arrivals(&medium)
    #expect(slave == ["2.0: [1, 2]", "4.0: [252, 251]"])
    #expect(master == ["4.0: [246]"])
    #expect(medium.counts.collisions == 1)
  }

  @Test("Noise stands before and after answers, never inside, and is the same each time")
  func makesNoise() {
    var heard: [[String]] = []
    for _ in 0..<2 {
      var medium = Self.medium { $0.isNoisy = true }
      var all: [String] = []
      var noise = 0
      for turn in 0..<50 {
        let start = UInt64(turn) * 100 * Self.millisecond
        medium.send([1, 2], from: .master, at: start)
        medium.send([0xAA, 0xBB, 0xCC], from: .slave, at: start + 5 * Self.millisecond)
        let (master, slave) = Self.arrivals(&medium)
        let bytes = master.map { $0.split(separator: " ").last ?? "" }.joined()
        #expect(bytes.contains("[170][187][204]"))
        #expect(slave.count == 1)
        #expect((3...8).contains(master.count))
        noise += master.count - 3
        all += master
      }
      #expect(noise == medium.counts.noise && noise > 50)
      #expect(medium.counts.collisions == 0)
      heard.append(all)
    }
    #expect(heard[0] == heard[1])
  }

  @Test("When the master's end goes, what was on its way there is lost")
  func cuts() {
    var medium = Self.medium()
    medium.send([1], from: .slave, at: 0)
    medium.send([2], from: .master, at: 5 * Self.millisecond)
    medium.cutMaster()
    let (master, slave) = Self.arrivals(&medium)
    #expect(master == [] && slave == ["7.0: [2]"])
  }
}
