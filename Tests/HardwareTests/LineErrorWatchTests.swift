import EventLoop
import Foundation
import Testing

@testable import Hardware

/// When errors the driver counts are worth a line in the log.
@Suite struct LineErrorWatchTests {
  @Test func fewAreNot() {
    var watch = LineErrorWatch()
    var counts = LineErrorCounts()
    for minute in 0..<100 {
      counts.framing += LineErrorWatch.threshold - 1
      #expect(watch.look(at: counts, .seconds(60 * minute)) == [])
    }
  }

  @Test func manyAreOnceAnHour() {
    var watch = LineErrorWatch()
    var counts = LineErrorCounts()
    var toldAt: [Int] = []
    for minute in 0..<130 {
      counts.framing += 50
      let told = watch.look(at: counts, .seconds(60 * minute))
      if told != [] {
        toldAt.append(minute)
        #expect(told == ["50 framing errors: often a wrong baud rate or swapped wires"])
      }
    }
    #expect(toldAt == [0, 60, 120])
  }

  @Test func eachKindForItself() {
    var watch = LineErrorWatch()
    #expect(watch.look(at: LineErrorCounts(framing: 10), .zero).count == 1)
    let told = watch.look(at: LineErrorCounts(overrun: 6, framing: 30, parity: 12, bufferOverrun: 4), .seconds(60))
    #expect(told.count == 2)
    #expect(told.first?.hasPrefix("12 parity errors") == true)
    #expect(told.last?.hasPrefix("10 times characters were lost in this machine") == true)
  }

  @Test func thePortTellsThem() throws {
    try onLoop { loop in
      let options = SerialOptions(path: "/dev/ttyUSB0", baud: 19_200)
      let stream = ScriptedStream(options, counters: DriverCounters(framing: 1000))
      let bench = PortBench(loop, options, open: ScriptedOpener([.success(stream)]).open)
      await bench.start()
      // Of before the opening.
      await bench.port.tellLineErrors()
      #expect(bench.log.told.count == 1)
      stream.counters = DriverCounters(framing: 1412)
      await bench.port.tellLineErrors()
      #expect(
        bench.log.told.last
          == "warning: meter: /dev/ttyUSB0 (19200 8N1): 412 framing errors: often a wrong baud rate or swapped wires; going "
          + "on, `baudgate status` has the counts; told once an hour at most")
      await bench.port.stop()
    }
  }
}
