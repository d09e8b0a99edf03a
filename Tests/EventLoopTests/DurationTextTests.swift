import EventLoop
import Testing

@Suite struct DurationTextTests {
  @Test func durationsReadAsAPersonWouldSayThem() {
    #expect(Duration.milliseconds(850).forHumans == "850 ms")
    #expect(Duration.milliseconds(1540).forHumans == "1.5 s")
    #expect(Duration.seconds(90).forHumans == "90 s")
    #expect(Duration.seconds(600).forHumans == "10 min")
    #expect(Duration.seconds(36_000).forHumans == "10 h")
    #expect(Duration.seconds(864_000).forHumans == "10 d")
    #expect(Duration.seconds(-1).forHumans == "0 ms")
  }
}
