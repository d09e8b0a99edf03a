import Foundation
import Testing

/// docs/thingsboard.md names a test for each sentence of the contract: each name must be a test's.
@Suite struct DocumentTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private static func sources() throws -> String {
    let tests = root.appendingPathComponent("Tests")
    let names = try FileManager.default.subpathsOfDirectory(atPath: tests.path).filter { $0.hasSuffix(".swift") }
    return try names.map { try String(contentsOf: tests.appendingPathComponent($0), encoding: .utf8) }
      .joined(separator: "\n")
  }

  /// The last column of each row, where tests stand.
  private static func columns() throws -> [Substring] {
    let text = try String(contentsOf: root.appendingPathComponent("docs/thingsboard.md"), encoding: .utf8)
    let part = text.components(separatedBy: "## How the contract is kept").last ?? ""
    return part.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasSuffix("| test |") }.compactMap {
      $0.dropLast(2).split(separator: " | ").last
    }
  }

  @Test func everyTestItNamesIsThere() throws {
    let sources = try Self.sources()
    var count = 0
    for column in try Self.columns() {
      let names = column.matches(of: /`([A-Za-z0-9.]+)`/).map(\.output.1)
      #expect(!names.isEmpty, "\(column)")
      for name in names {
        let parts = name.split(separator: ".")
        for part in parts where part.first?.isUppercase == true {
          #expect(sources.contains("struct \(part) "), "no suite \(part)")
        }
        if let test = parts.last, test.first?.isLowercase == true {
          #expect(sources.contains("func \(test)("), "no test \(name)")
          count += 1
        }
      }
    }
    #expect(count > 60)
  }
}
