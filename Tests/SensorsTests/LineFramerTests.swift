import Testing

@testable import Sensors

/// The events of a framer as text, so that rows are short.
private func events(_ framer: inout LineFramer, _ chunks: [[UInt8]]) -> [String] {
  var events: [String] = []
  for chunk in chunks {
    var rest = chunk[...]
    while let event = framer.next(from: &rest) {
      switch event {
      case .line(let line): events.append(String(decoding: line, as: UTF8.self))
      case .tooLong: events.append("too long")
      case .partial(let count): events.append("partial \(count)")
      }
    }
    #expect(rest.isEmpty)
  }
  return events
}

private struct Framing: Sendable, CustomStringConvertible {
  let description: String
  let input: String
  let events: [String]
  var opened = false
}

private let limit = 8

private let framings = [
  Framing(description: "LF ends a line", input: "a\nb\n", events: ["a", "b"]),
  Framing(description: "CRLF ends a line once", input: "a\r\nb\r\n", events: ["a", "b"]),
  Framing(description: "CR ends a line", input: "a\rb\r", events: ["a", "b"]),
  Framing(description: "empty lines are ignored", input: "\n\r\n\na\n\n", events: ["a"]),
  Framing(description: "what has no end waits", input: "a\nb", events: ["a"]),
  Framing(description: "a line of the limit fits", input: "12345678\n", events: ["12345678"]),
  Framing(description: "a longer one is dropped whole", input: "123456789\nb\n", events: ["too long", "b"]),
  Framing(
    description: "however long it is, it is one fault", input: String(repeating: "x", count: 100) + "\nb\n",
    events: ["too long", "b"]),
  Framing(
    description: "up to the first line end after opening all is dropped", input: "1.5\nb\n",
    events: ["partial 3", "b"], opened: true),
  Framing(
    description: "a line end right after opening synchronises", input: "\nb\n", events: ["b"], opened: true),
  Framing(
    description: "a wire without line ends is told", input: String(repeating: "x", count: 100) + "\nb\n",
    events: ["too long", "b"], opened: true),
]

@Test(arguments: framings) private func linesAreCut(_ framing: Framing) {
  let bytes = Array(framing.input.utf8)
  var whole = LineFramer(limit: limit)
  if framing.opened { whole.portOpened() }
  #expect(events(&whole, [bytes]) == framing.events)
  var chopped = LineFramer(limit: limit)
  if framing.opened { chopped.portOpened() }
  #expect(events(&chopped, bytes.map { [$0] }) == framing.events)
}

@Test func openingForgetsWhatIsPending() {
  var framer = LineFramer(limit: limit)
  #expect(events(&framer, [Array("T=2".utf8)]).isEmpty)
  framer.portOpened()
  #expect(events(&framer, [Array("1\nT=5\n".utf8)]) == ["partial 1", "T=5"])
}

@Test func openingEndsTheSkippingOfALongLine() {
  var framer = LineFramer(limit: limit)
  #expect(events(&framer, [Array("123456789".utf8)]) == ["too long"])
  framer.portOpened()
  #expect(events(&framer, [Array("\nT=5\n".utf8)]) == ["T=5"])
}
