import Configuration
import Telemetry
import Testing

/// Whatever stands in the attribute: a configuration or messages, never a trap, and never what somebody pasted in a place
/// that is none of the overlay's.
@Suite struct OverlayNoiseTests {
  private static let secret = "PASTED_TOKEN"

  /// Random trees of words the rules know and some they don't.
  private struct Maker {
    var random = SplitMix(state: 0x2545_F491_4F6C_DD1D)
    static let words = [
      "sensors", "climate", "house", "upload", "interval", "max_batch", "filters", "t", "h", "median", "deadband",
      "scale", "offset", "units", "report", "stale_after", "rpc", "call", "weather", "downlink", "shared_attributes",
      "queue", "persist_after", "log", "level", "server", "device", "token", "ports", "run", "*", "a.b", "é", "", "\n",
    ]
    static let texts = ["1s", "5m", "on", "off", "json", "debug", "", "°C", "x"]

    mutating func word() -> String { Self.words[random.below(Self.words.count)] }

    mutating func object(_ depth: Int) -> JSON {
      .object((0..<random.below(4)).map { _ in JSON.Member(word(), value(depth + 1)) })
    }

    mutating func value(_ depth: Int) -> JSON {
      switch random.below(depth > 7 ? 6 : 14) {
      case 0: .null
      case 1: .bool(random.below(2) == 0)
      case 2: .integer(Int64(random.below(20)) - 5)
      case 3: .double(Double(random.below(100)) / 8)
      case 4, 5: .string(Self.texts[random.below(Self.texts.count)])
      case 6: .array((0..<random.below(3)).map { _ in value(depth + 1) })
      default: object(depth)
      }
    }
  }

  @Test func survivesAnyTree() {
    var maker = Maker()
    var (valid, invalid) = (0, 0)
    for _ in 0..<4000 {
      guard let overlay = try? ConfigurationOverlay(maker.object(0)) else { continue }
      switch GatewayConfiguration.load(Array(Overlaid.file.utf8), file: "f", overlay: overlay, in: Surroundings()) {
      case .success: valid += 1
      case .failure(let errors):
        invalid += 1
        #expect(!errors.lines.isEmpty)
      }
    }
    // Both ends must have been reached, or the noise was of the wrong kind.
    #expect(valid > 10 && invalid > 10)
  }

  /// Below every key that is not the overlay's own stands a secret, in some depth.
  @Test func neverShowsWhatWasPasted() {
    var maker = Maker()
    let places: [[String]] =
      [["sensors", "climate"], ["sensors"], ["rpc"], ["queue"], ["rpc", "call", "weather"], ["log"], []]
    let settable: Set = [
      "sensors", "upload", "downlink", "queue", "log", "rpc", "filters", "scale", "offset", "units", "report",
      "stale_after", "interval", "persist_after", "level", "call", "climate", "house", "enabled",
    ]
    for _ in 0..<2000 {
      var json = JSON.string(Self.secret)
      for _ in 0..<maker.random.below(4) {
        json = maker.random.below(3) == 0 ? .array([json]) : .object([.init(maker.word() + "x", json)])
      }
      let word = maker.word()
      json = .object([.init(settable.contains(word) ? "server" : word, json)])
      for name in places[maker.random.below(places.count)].reversed() { json = .object([.init(name, json)]) }
      do throws(ConfigurationErrors) {
        let overlay = try ConfigurationOverlay(json)
        let file = Array(Overlaid.file.utf8)
        guard
          case .failure(let errors) = GatewayConfiguration.load(file, file: "f", overlay: overlay, in: Surroundings())
        else { continue }
        #expect(!errors.description.contains(Self.secret))
        #expect(!errors.description.contains("FILE_TOKEN"))
      } catch {
        #expect(!error.description.contains(Self.secret))
      }
    }
  }

  @Test func survivesDamagedText() {
    var random = SplitMix(state: 7)
    let text = Array(#"{"sensors":{"climate":{"scale":{"t":0.1},"units":{"h":"%"}}},"upload":{"interval":"1s"}}"#.utf8)
    for _ in 0..<2000 {
      var damaged = text
      damaged[random.below(damaged.count)] = UInt8(random.below(256))
      if random.below(3) == 0 { damaged.removeSubrange(random.below(damaged.count)...) }
      guard let overlay = try? ConfigurationOverlay(parsing: damaged) else { continue }
      #expect((try? ConfigurationOverlay(parsing: Array(overlay.text.utf8))) == overlay)
      _ = GatewayConfiguration.load(Array(Overlaid.file.utf8), file: "f", overlay: overlay, in: Surroundings())
    }
  }
}

/// Source: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, 2014.
private struct SplitMix {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((z ^ (z >> 31)) % UInt64(bound))
  }
}
