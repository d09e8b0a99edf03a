import Glibc
import Testing

@testable import Sensors

/// Answers of `w1_slave`, published in the kernel's pages, in threads and in github.com/cpetrich/counterfeit_DS18B20.
private enum Answer {
  static func text(_ bytes: String, _ temperature: Int, crc: String? = nil, verdict: String = "YES") -> String {
    let last = crc ?? String(bytes.suffix(2))
    return "\(bytes) : crc=\(last) \(verdict)\n\(bytes) t=\(temperature)\n"
  }

  static let cool = text("8d 00 4b 46 7f ff 03 10 3e", 8812)
  static let warm = text("7e 01 4b 46 7f ff 02 10 25", 23875)
  /// Byte 6 is 0C whatever the temperature is.
  static let clone = text("71 01 55 00 7f ff 0c 10 3e", 23062)
  static let otherClone = text("6d 01 55 05 7f a5 a5 66 3e", 22812)
  static let ds18s20 = text("32 00 4b 46 ff ff 0f 10 3e", 24812)
  static let zeros = text("00 00 00 00 00 00 00 00 00", 0)
  static let powerOn = text("50 05 4b 46 7f ff 0c 10 1c", 85000)
  static let clonePowerOn = text("50 05 55 00 7f ff 0c 10 21", 85000)
  static let ds18s20PowerOn = text("aa 00 b4 b9 ff ff 0c 10 18", 85000)
  static let real85 = text("50 05 4b 46 7f ff 10 10 c3", 85000)
  static let clone84 = text("40 05 55 00 7f ff 0c 10 00", 84000)
  static let wrong = text("ff ff ff ff ff ff ff ff ff", -62, crc: "c9", verdict: "NO")
  static let weak = text("ff 07 4b 46 7f ff 0c 10 0d", 127937)
}

@Suite struct W1BlockTests {
  @Test func readsBothLines() throws {
    let block = try #require(W1Block(Array(Answer.cool.utf8)))
    #expect(block.bytes == [0x8D, 0x00, 0x4B, 0x46, 0x7F, 0xFF, 0x03, 0x10, 0x3E])
    #expect(block.isValid && block.temperature == 8812)
    #expect(W1Block(Array(Answer.wrong.utf8))?.isValid == false)
    #expect(W1Block(Array("5e 01 ff ff 7f ff ff ff 52 : crc=52 YES\n5e 01 ff ff 7f ff ff ff 52 t=21875".utf8)) != nil)
  }

  @Test(arguments: [
    "", "8d 00", "8d 00 4b 46 7f ff 03 10 3e : crc=3e YES\n8d 00 4b 46 7f ff 03 10 3e",
    "8d 00 4b 46 7f ff 03 10 3e : crc=3e MAYBE\n8d 00 4b 46 7f ff 03 10 3e t=8812",
    "8d 00 4b 46 7f ff 03 10 3e : crc=3e YES\n8d 00 4b 46 7f ff 03 10 3e t=warm",
    "xx 00 4b 46 7f ff 03 10 3e : crc=3e YES\n8d 00 4b 46 7f ff 03 10 3e t=8812",
    "00 02 00 00 00 00 00 00 00 6d 38 00 ff ff 00 00 fe ff 00 00 crc=YES c=2",
  ]) func refusesAnythingElse(_ text: String) {
    #expect(W1Block(Array(text.utf8)) == nil)
  }

  @Test func aChoppedAnswerIsNone() {
    let bytes = Array(Answer.cool.utf8)
    for count in 0..<bytes.count - 5 { #expect(W1Block(Array(bytes.prefix(count))) == nil) }
  }
}

@Suite struct W1JudgeTests {
  /// What one device makes of answers in order: °C, or the fault's code.
  static func verdicts(_ answers: [String], id: String = "28-000005e2fdc3") throws -> [String] {
    var judge = W1Judge(try #require(W1ID(id)))
    var verdicts: [String] = []
    for answer in answers {
      let block = try #require(W1Block(Array(answer.utf8)))
      do throws(DecodingFault) { verdicts.append("\(try judge.judge(block))") } catch {
        verdicts.append(error.code.rawValue)
      }
    }
    return verdicts
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var id = "28-000005e2fdc3"
    let answers: [String]
    let verdicts: [String]
  }

  static let rows = [
    Row(testDescription: "measurements", answers: [Answer.cool, Answer.warm], verdicts: ["8.812", "23.875"]),
    Row(testDescription: "zeros, whose CRC is right", answers: [Answer.zeros], verdicts: ["implausible"]),
    Row(testDescription: "a CRC that is wrong", answers: [Answer.wrong], verdicts: ["badChecksum"]),
    Row(testDescription: "a conversion without power", answers: [Answer.weak], verdicts: ["implausible"]),
    Row(testDescription: "85 °C at power-on", answers: [Answer.powerOn], verdicts: ["implausible"]),
    Row(
      testDescription: "85 °C at power-on in the middle", answers: [Answer.warm, Answer.powerOn, Answer.warm],
      verdicts: ["23.875", "implausible", "23.875"]),
    Row(testDescription: "85 °C that was measured", answers: [Answer.real85], verdicts: ["85.0"]),
    Row(
      testDescription: "a genuine one's power-on, near 85 °C", answers: [Answer.real85, Answer.powerOn],
      verdicts: ["85.0", "implausible"]),
    Row(
      testDescription: "a clone whose byte 6 tells nothing, far from 85 °C",
      answers: [Answer.clone, Answer.clonePowerOn], verdicts: ["23.062", "implausible"]),
    Row(
      testDescription: "a clone whose byte 6 tells nothing, coming near 85 °C",
      answers: [Answer.clone, Answer.clone84, Answer.clonePowerOn, Answer.clonePowerOn],
      verdicts: ["23.062", "84.0", "85.0", "85.0"]),
    Row(testDescription: "a clone with other bytes", answers: [Answer.otherClone], verdicts: ["22.812"]),
    Row(
      testDescription: "a DS18S20, whose bytes are the same at 85 °C and at power-on", id: "10-00080047e5a0",
      answers: [Answer.ds18s20PowerOn, Answer.ds18s20, Answer.ds18s20PowerOn],
      verdicts: ["implausible", "24.812", "implausible"]),
    Row(
      testDescription: "a thermocouple's converter has no such range", id: "3b-0c98076d4d3e", answers: [Answer.weak],
      verdicts: ["127.937"]),
  ]

  @Test(arguments: rows) func tellsMeasurementsFromTheRest(_ row: Row) throws {
    #expect(try Self.verdicts(row.answers, id: row.id) == row.verdicts)
  }

  @Test func withoutBytesTheValueBeforeTells() throws {
    var judge = W1Judge(try #require(W1ID("28-000005e2fdc3")))
    #expect(throws: DecodingFault.self) { _ = try judge.judge(85_000) }
    #expect(try judge.judge(84_937) == 84.937)
    #expect(try judge.judge(85_000) == 85)
    #expect(try judge.judge(79_999) == 79.999)
    #expect(throws: DecodingFault.self) { _ = try judge.judge(85_000) }
  }
}

@Suite struct W1SensorTests {
  static let first = "28-000005e2fdc3"
  static let second = "28-000005060fe3"
  static let both = "protocol: w1\ndevices: {supply: \(first), return: \(second)}"
  static let bulk = "bus/w1/devices/w1_bus_master1/therm_bulk_read"

  static func slave(_ id: String) -> String { "bus/w1/devices/\(id)/w1_slave" }

  /// A master and thermometers as sysfs shows them: in the master's directory, and by links beside it.
  static func bus(_ answers: KeyValuePairs<String, String>, bulk: String? = nil) throws -> SysfsTree {
    let tree = try SysfsTree()
    try tree.put("devices/w1_bus_master1", bulk.map { ["therm_bulk_read": $0] } ?? [:])
    try tree.link("bus/w1/devices/w1_bus_master1", to: "../../../devices/w1_bus_master1")
    for (id, answer) in answers { try add(id, answer, to: tree) }
    return tree
  }

  static func add(_ id: String, _ answer: String, to tree: SysfsTree) throws {
    try tree.put("devices/w1_bus_master1/\(id)", ["w1_slave": answer])
    try tree.link("bus/w1/devices/\(id)", to: "../../../devices/w1_bus_master1/\(id)")
  }

  @Test func readsEachUnderItsName() throws {
    let tree = try Self.bus([Self.first: Answer.cool, Self.second: Answer.warm])
    var sensor = try fileSensor("\(Self.both)\noffset: {supply: 0.5}", tree)
    let (samples, faults) = harvest(&sensor)
    #expect(samples == ["supply=9.312 return=23.875"])
    #expect(faults == [])
    #expect(tree.writes == [])
  }

  @Test func aSingleOneIsATemperature() throws {
    var sensor = try fileSensor("protocol: w1\nid: \(Self.first)", try Self.bus([Self.first: Answer.cool]))
    #expect(harvest(&sensor).samples == ["temperature=8.812"])
  }

  @Test func withoutNamesAllThereAreAreReadUnderTheirOwn() throws {
    let tree = try Self.bus([
      Self.first: Answer.cool, "10-00080047e5a0": Answer.ds18s20, "29-0000001d84f2": "not a thermometer",
    ])
    var sensor = try fileSensor("protocol: w1\nprefix: true", tree)
    #expect(harvest(&sensor).samples == ["s.10-00080047e5a0=24.812 s.28-000005e2fdc3=8.812"])
    try Self.add(Self.second, Answer.warm, to: tree)
    #expect(harvest(&sensor).samples.first?.hasPrefix("s.10-00080047e5a0=24.812 s.28-000005060fe3=23.875 ") == true)
  }

  @Test func allMeasureAtOnceAndAreReadWhenTheyHave() throws {
    let tree = try Self.bus([Self.first: Answer.cool, Self.second: Answer.warm], bulk: "0")
    tree.onWrite = { tree, _, _ in tree.give(Self.bulk, "-1\n", "-1\n", "1\n") }
    var sensor = try fileSensor(Self.both, tree)
    #expect(harvest(&sensor).samples == ["supply=8.812 return=23.875"])
    // The driver compares the length, line end included.
    #expect(tree.writes == ["/sys/\(Self.bulk) trigger\n"])
    #expect(tree.pauses == [50, 50])
    let order = tree.reads.suffix(3)
    #expect(Array(order) == ["/sys/\(Self.bulk)", "/sys/\(Self.slave(Self.first))", "/sys/\(Self.slave(Self.second))"])
  }

  @Test func aConversionThatNeverEndsIsNotWaitedForLonger() throws {
    let tree = try Self.bus([Self.first: "", Self.second: Answer.warm], bulk: "0")
    tree.onWrite = { tree, _, _ in _ = try? tree.put("devices/w1_bus_master1", ["therm_bulk_read": "-1"]) }
    var sensor = try fileSensor(Self.both, tree)
    let (samples, faults) = harvest(&sensor)
    #expect(samples == ["return=23.875"])
    #expect(tree.pauses.reduce(0, +) == W1Bus.conversionLimit + SysfsLimits.retryPause)
    let expected = """
      unreadable supply: it gave no reading (/sys/\(Self.slave(Self.first)) is empty): no answer, or one whose CRC is \
      wrong; check the cable and the pull-up resistor
      """
    #expect(faults == [expected])
  }

  @Test(arguments: [EACCES, EROFS]) func whereThatIsNotAllowedItIsSaidOnce(_ errno: CInt) throws {
    let tree = try Self.bus([Self.first: Answer.cool, Self.second: Answer.warm], bulk: "0")
    tree.refuseWrites(Self.bulk, errno)
    var sensor = try fileSensor(Self.both, tree)
    let (samples, faults) = harvest(&sensor)
    #expect(samples == ["supply=8.812 return=23.875"])
    let reason = errno == EACCES ? "the permissions say no" : "it is read-only for the service (EROFS)"
    let expected = """
      forbidden the thermometers are read one after another, which takes most of a second each: may not write \
      /sys/\(Self.bulk), \(reason); docs/sysfs.md says how to allow it
      """
    #expect(faults == [expected])
    #expect(harvest(&sensor).faults == [])
    tree.refuseWrites(Self.bulk, nil)
    #expect(harvest(&sensor).faults == [])
    tree.refuseWrites(Self.bulk, errno)
    #expect(harvest(&sensor).faults.count == 1)
  }

  @Test func whatAnotherProgramHadMeasuredEarlierIsNotTaken() throws {
    let tree = try Self.bus([Self.first: Answer.warm, Self.second: Answer.warm], bulk: "1")
    tree.give(Self.slave(Self.first), Answer.cool)
    var sensor = try fileSensor("protocol: w1\nid: \(Self.first)", tree)
    #expect(harvest(&sensor).samples == ["temperature=23.875"])
  }

  @Test(arguments: [Answer.zeros, Answer.powerOn, Answer.wrong, Answer.weak, "\n"])
  func whatIsNoMeasurementIsTriedTwice(_ answer: String) throws {
    let tree = try Self.bus([Self.first: Answer.warm])
    var sensor = try fileSensor("protocol: w1\nid: \(Self.first)", tree)
    tree.give(Self.slave(Self.first), answer)
    #expect(harvest(&sensor).samples == ["temperature=23.875"])
    tree.give(Self.slave(Self.first), answer, answer)
    let (samples, faults) = harvest(&sensor)
    #expect(samples == [] && faults.count == 1)
  }

  @Test(arguments: [EIO, EAGAIN, ENODEV]) func aPassingErrorIsTriedTwice(_ errno: CInt) throws {
    let tree = try Self.bus([Self.first: Answer.warm])
    var sensor = try fileSensor("protocol: w1\nid: \(Self.first)", tree)
    tree.fail(Self.slave(Self.first), errno)
    #expect(harvest(&sensor).samples == ["temperature=23.875"])
    tree.fail(Self.slave(Self.first), errno, errno)
    #expect(harvest(&sensor).faults.first?.hasPrefix("unreadable temperature: cannot read ") == true)
  }

  @Test func faultsSayWhatToLookAt() throws {
    let tree = try Self.bus([Self.first: Answer.zeros])
    var sensor = try fileSensor("protocol: w1\nid: \(Self.first)", tree)
    #expect(
      harvest(&sensor).faults == [
        "implausible temperature: it answered zeros only, which is no measurement; is its data line shorted to ground?"
      ])
    tree.give(Self.slave(Self.first), Answer.powerOn, Answer.powerOn)
    let powerOn = """
      implausible temperature: 85 °C is what it says after power-on, before it has measured; does its supply fail, or is \
      it too weak?
      """
    #expect(harvest(&sensor).faults == [powerOn])
    tree.give(Self.slave(Self.first), Answer.wrong, Answer.wrong)
    let checksum = """
      badChecksum temperature: its answer fails the CRC ("ff ff ff ff ff ff ff ff ff"); check the cable and the pull-up \
      resistor
      """
    #expect(harvest(&sensor).faults == [checksum])
    tree.give(Self.slave(Self.first), "crc=YES c=2", "crc=YES c=2")
    #expect(
      harvest(&sensor).faults == [
        "mismatch temperature: /sys/\(Self.slave(Self.first)) has another form than a thermometer's: \"crc=YES c=2\""
      ])
  }

  @Test func whatIsMissingIsOneFaultAndComesBack() throws {
    let tree = try Self.bus([:])
    var sensor = try fileSensor(Self.both, tree)
    let none = """
      absent supply (\(Self.first)) and return (\(Self.second)) not on the 1-wire bus; no thermometer is
      """
    #expect(harvest(&sensor).faults == [none])
    try Self.add(Self.second, Answer.warm, to: tree)
    let (samples, faults) = harvest(&sensor)
    #expect(samples == ["return=23.875"])
    #expect(faults == ["absent supply (\(Self.first)) not on the 1-wire bus; \(Self.second) there"])
    try Self.add(Self.first, Answer.cool, to: tree)
    #expect(harvest(&sensor).faults == [])
  }

  @Test func aBoardWithoutAMasterIsSaid() throws {
    var sensor = try fileSensor(Self.both, try SysfsTree())
    #expect(
      harvest(&sensor).faults == [
        "absent /sys/bus/w1/devices is not there: no 1-wire master's driver is loaded, such as w1-gpio"
      ])
    var all = try fileSensor("protocol: w1", try Self.bus([:]))
    #expect(
      harvest(&all).faults == [
        "absent no thermometer is on the 1-wire bus; check the wiring and the pull-up resistor"
      ])
  }

  @Test func whereThereIsNoBlockTheTemperatureIsRead() throws {
    let tree = try Self.bus([:])
    try tree.put("devices/w1_bus_master1/\(Self.first)", ["temperature": "-10125"])
    try tree.link("bus/w1/devices/\(Self.first)", to: "../../../devices/w1_bus_master1/\(Self.first)")
    var sensor = try fileSensor("protocol: w1\nid: \(Self.first)", tree)
    #expect(harvest(&sensor).samples == ["temperature=-10.125"])
  }
}
