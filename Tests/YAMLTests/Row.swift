import Testing
import YAML

/// A document and all messages it earns.
struct Row: CustomTestStringConvertible {
  let testDescription: String
  let bytes: [UInt8]
  let expected: [String]

  init(_ sentence: String, _ text: String, _ expected: String...) {
    self.init(sentence, bytes: Array(text.utf8), expected)
  }

  init(_ sentence: String, bytes: [UInt8], _ expected: [String]) {
    testDescription = sentence
    self.bytes = bytes
    self.expected = expected
  }

  func load() -> (node: YAMLNode?, messages: [String]) {
    let diagnostics = Diagnostics()
    let node = YAMLNode.load(bytes, file: "f", diagnostics: diagnostics)
    return (node, diagnostics.errors.map(\.description))
  }
}
