internal import YAML

/// What a line's `direction` may be in the file.
enum GPIORole: String, CaseIterable {
  case input, output, counter

  var direction: GPIOLineOptions.Direction { self == .output ? .output : .input }
}

extension GPIOMeter {
  /// No meter's pulse is worth less or more.
  static let scaleRange = 0.000_000_001...1_000_000_000
  static let totalRange = -1_000_000_000_000.0...1_000_000_000_000.0
  static let intervalRange = Duration.milliseconds(100) ... .seconds(86_400)
  static let persistEveryRange: ClosedRange<UInt64> = 1...1_000_000
  static let persistAfterRange = Duration.seconds(1) ... .seconds(86_400)

  private static let counterKeys = ["edge", "initial_total", "rate", "persist_every", "persist_after"]
  private static let meterKeys = ["scale", "units", "interval"]

  /// Reads what concerns counting and measuring of `gpio.lines.NAME`, and refuses it where it does not belong.
  ///
  /// - Parameter role: `nil` where the direction was refused; then nothing more is said.
  /// - Returns: `nil` for a line whose level is told, or that is driven.
  init?(from reader: inout MappingReader, named name: String, _ role: GPIORole?) {
    let quantity = reader.word("measure", of: ["pulse_width": Quantity.pulseWidth, "frequency": .frequency])
    let edge = reader.word("edge", of: Edge.self)
    let scale = reader.double("scale", in: Self.scaleRange)
    let units = reader.nonEmptyString("units")
    let interval = reader.duration("interval", in: Self.intervalRange)
    let rate = reader.word("rate", of: RateUnit.self)
    let total = reader.double("initial_total", in: Self.totalRange)
    let every = reader.integer("persist_every", in: Self.persistEveryRange)
    let after = reader.duration("persist_after", in: Self.persistAfterRange)
    let hasMeasure = reader.has("measure")
    switch role {
    case .counter:
      reader.refuse(["measure"], "\(name) is a counter; `direction: input` measures")
      self.init(.count)
    case .input:
      reader.refuse(Self.counterKeys, "\(name) is an input; only counters have it")
      guard hasMeasure else {
        reader.refuse(Self.meterKeys, "\(name) is an input; only counters and inputs with `measure` have it")
        return nil
      }
      guard let quantity else { return nil }
      self.init(quantity)
    case .output:
      reader.refuse(["measure"] + Self.counterKeys + Self.meterKeys, "\(name) is an output; only counters have it")
      return nil
    case nil: return nil
    }
    self.edge = edge ?? self.edge
    self.scale = scale
    self.units = units
    self.interval = interval ?? self.interval
    self.rate = rate ?? self.rate
    initialTotal = total
    persistEvery = every ?? persistEvery
    persistAfter = after ?? persistAfter
  }
}

extension GPIOLineSelector {
  /// Of the kernel's names; one byte of 32 is the zero behind it.
  private static let longestName = 31

  /// Reads `line`: a number, or the kernel's name.
  init?(from reader: inout MappingReader, on chip: GPIOChipReference?) {
    let range = GPIOLineOptions.offsetRange
    guard let text = reader.node("line")?.text, Self.isName(text) else {
      guard let offset = reader.integer("line", in: range) else { return nil }
      self = .offset(offset)
      return
    }
    guard let name = reader.nonEmptyString("line") else { return nil }
    let isPrintable = name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    // A simulated line's name is part of a file's.
    let isFile = if case .simulated = chip { true } else { false }
    guard isPrintable, name.utf8.count <= Self.longestName, !(isFile && name.utf8.contains(UInt8(ascii: "/"))) else {
      let place = isFile ? "without / " : ""
      reader.mismatch(
        "line",
        expected: "an integer from \(range.lowerBound) to \(range.upperBound), or the kernel's name for the line, "
          + "\(place)up to \(Self.longestName) bytes")
      return nil
    }
    self = .name(name)
  }

  /// Some boards' names begin with a digit, `7J1 Header Pin11`.
  private static func isName(_ text: String) -> Bool {
    guard let first = text.unicodeScalars.first else { return false }
    let isNumeric = first == "-" || first == "+" || first == "." || ("0"..."9").contains(first)
    return !isNumeric || text.utf8.contains(UInt8(ascii: " "))
  }
}
