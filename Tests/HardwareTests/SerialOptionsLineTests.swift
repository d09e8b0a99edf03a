import Testing

@testable import Hardware

/// Options as the kernel takes them, and as people write them.
@Suite struct SerialOptionsLineTests {
  @Test(arguments: SerialOptions.Parity.allCases, SerialOptions.FlowControl.allCases)
  func settingsSurviveTheWayThroughTheKernelsStruct(_ parity: SerialOptions.Parity, _ flow: SerialOptions.FlowControl)
    throws
  {
    for dataBits in 5...8 {
      let options = SerialOptions(
        path: "/dev/ttyS0", baud: 19_200, dataBits: dataBits, parity: parity, stopBits: 2, flow: flow,
        hangUpOnClose: true)
      let line = try #require(options.line)
      #expect(SerialOptions(path: "/dev/ttyS0").granted(line) == options)
    }
  }

  @Test func notationIsTheFieldsShorthand() {
    #expect(SerialOptions(path: "x").notation == "9600 8N1")
    #expect(
      SerialOptions(path: "x", baud: 2400, dataBits: 7, parity: .even, stopBits: 2, flow: .rtsCTS).notation
        == "2400 7E2 rts_cts")
    let letters = SerialOptions.Parity.allCases.map { SerialOptions(path: "x", parity: $0).notation }
    #expect(letters == ["9600 8N1", "9600 8E1", "9600 8O1", "9600 8M1", "9600 8S1"])
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let granted: SerialOptions
    let shortcomings: [String]
  }

  @Test(arguments: [
    Row(testDescription: "all granted", granted: SerialOptions(path: "x", baud: 10_000), shortcomings: []),
    Row(testDescription: "2 % off is tolerable", granted: SerialOptions(path: "x", baud: 10_200), shortcomings: []),
    Row(
      testDescription: "more than 2 % is not", granted: SerialOptions(path: "x", baud: 9_799),
      shortcomings: ["baud 9799 instead of 10000"]),
    Row(
      testDescription: "everything else is exact",
      granted: SerialOptions(path: "x", baud: 10_000, dataBits: 7, parity: .odd, stopBits: 2, flow: .xonXOFF),
      shortcomings: [
        "data_bits 7 instead of 8", "parity odd instead of none", "stop_bits 2 instead of 1",
        "flow xon_xoff instead of none",
      ]),
    Row(
      testDescription: "nonsense from a driver does not trap", granted: SerialOptions(path: "x", baud: .max),
      shortcomings: ["baud 9223372036854775807 instead of 10000"]),
  ])
  func whatTheDriverDidNotGrantIsListed(_ row: Row) {
    #expect(SerialOptions(path: "x", baud: 10_000).shortcomings(of: row.granted) == row.shortcomings)
  }
}
