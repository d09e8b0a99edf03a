import Testing

@testable import YAML

/// What is said of files that a document names.
@Suite struct OtherFilesTests {
  private func said(_ file: String, _ messages: (line: Int, text: String)...) -> Diagnostics {
    let diagnostics = Diagnostics(file: file)
    for message in messages { diagnostics.error(line: message.line, column: 1, message.text) }
    return diagnostics
  }

  @Test func comesBehindTheDocumentsOwnWordsAndOnce() {
    let own = said("own", (9, "last"), (2, "first"))
    own.absorb(said("b", (1, "one")))
    own.absorb(said("a", (7, "two"), (3, "three")))
    own.absorb(said("b", (1, "one"), (1, "another")))
    #expect(
      own.errors.map(\.description) == [
        "own:2:1: first", "own:9:1: last", "a:3:1: three", "a:7:1: two", "b:1:1: one", "b:1:1: another",
      ])
    #expect(own.errorCount == 6)
  }

  @Test func warningsAreTakenOverAsSuch() {
    let own = Diagnostics(file: "own")
    let other = Diagnostics(file: "other")
    other.warning(line: 1, column: 2, "odd")
    own.absorb(other)
    own.absorb(other)
    #expect(own.warnings.map(\.description) == ["other:1:2: warning: odd"])
    #expect((own.errorCount, own.warningCount) == (0, 1))
  }

  @Test func noMoreAreKeptThanOfOneFile() {
    let own = Diagnostics(file: "own")
    for file in 0..<3 {
      let other = Diagnostics(file: "\(file)")
      for line in 1...Diagnostics.limit { other.error(line: line, column: 1, "wrong") }
      own.absorb(other)
    }
    #expect(own.errors.count == Diagnostics.limit + 1)
    #expect(own.errors.last?.message == "and \(2 * Diagnostics.limit) more errors")
  }
}
