import Configuration
import Sensors
import Telemetry
import Testing

@testable import Gateway

@Suite struct SensorStatusTests {
  private static func at(_ boottime: Int64) -> CaptureTime { CaptureTime(milliseconds: 0, boottime: boottime) }

  private static func status(_ more: String) throws -> SensorStatus {
    let file = """
      server: {url: http://127.0.0.1:8080}
      device: {token: A1}
      ports: {meters: {path: /dev/x}}
      sensors: {climate: {port: meters, protocol: line, template: "T={t}"\(more)}}
      """
    let loaded = GatewayConfiguration.load(Array(file.utf8), file: "f", in: Surroundings())
    return SensorStatus(try #require(try loaded.get().sensors.first), since: at(1_000))
  }

  @Test func aSensorIsStaleWhenNothingCameForSoLong() throws {
    var sensor = try Self.status(", stale_after: 60s")
    #expect(sensor.isStale(at: Self.at(61_000)) == false)
    #expect(sensor.isStale(at: Self.at(61_001)) == true, "it never said anything")
    sensor.lastTime = Self.at(50_000)
    #expect(sensor.isStale(at: Self.at(61_001)) == false)
    #expect(sensor.isStale(at: Self.at(110_001)) == true)
    sensor.staleAfter = nil
    #expect(sensor.isStale(at: Self.at(.max)) == nil && sensor.patience == nil)
  }

  @Test func aPortIsOpenedAgainMoreAndMoreRarely() throws {
    var sensor = try Self.status(", stale_after: 60s")
    #expect(sensor.patience == 60_000)
    sensor.isToldStale = true
    var times: [Int64] = []
    for reopenings in 1...9 {
      sensor.reopenings = reopenings
      times.append(try #require(sensor.patience) / 60_000)
    }
    #expect(times == [2, 4, 8, 16, 32, 64, 124, 184, 244], "doubled, and hourly from then on")
    sensor.reopenings = 1_000_000
    #expect(try #require(sensor.patience) > 0)
    let isFresh = [5, 6].map { sensor.note(Sample(time: Self.at($0), readings: [])) }
    #expect(isFresh == [true, false] && sensor.patience == 60_000)
  }

  @Test func pollsKeepToTheirTimesWhateverACycleTakes() {
    var times = PollTimes(every: .seconds(1), first: .seconds(10))
    func look(_ milliseconds: Int64) -> PollTimes.Verdict { times.look(at: .milliseconds(milliseconds)) }
    let verdicts = [look(9_000), look(10_020), look(10_500), look(11_001)]
    #expect(verdicts == [.notYet, .begin, .notYet, .missed] && times.due == .seconds(12))
    times.ended()
    let next = look(12_000)
    times.ended()
    let late = look(5_000_000)
    #expect(next == .begin && late == .begin && times.due == .seconds(5_001), "after a sleep, not one after the other")
    times.ended()
    let commands = [times.beginNow(), times.beginNow()]
    #expect(commands == [true, false])
    let busy = look(5_001_000)
    #expect(busy == .missed)
  }
}
