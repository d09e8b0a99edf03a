import Telemetry
import Testing

@testable import Gateway

@Suite struct SensorStatusTests {
  private static func at(_ boottime: Int64) -> CaptureTime { CaptureTime(milliseconds: 0, boottime: boottime) }

  @Test func aSensorIsStaleWhenNothingCameForSoLong() {
    var sensor = Sampler.SensorStatus(name: "climate", staleAfter: .seconds(60))
    #expect(sensor.isStale(at: Self.at(61_000), start: Self.at(1_000)) == false)
    #expect(sensor.isStale(at: Self.at(61_001), start: Self.at(1_000)) == true, "it never said anything")
    sensor.lastTime = Self.at(50_000)
    #expect(sensor.isStale(at: Self.at(61_001), start: Self.at(1_000)) == false)
    #expect(sensor.isStale(at: Self.at(110_001), start: Self.at(1_000)) == true)
    sensor.staleAfter = nil
    #expect(sensor.isStale(at: Self.at(.max), start: Self.at(0)) == nil)
  }
}
