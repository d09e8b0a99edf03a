public import YAML

extension GPIOOptions {
  /// More lines than any board has.
  public static let lineLimit = 256

  /// Reads `gpio:`; each problem is reported where it stands.
  public init?(from reader: inout MappingReader) {
    let chip = GPIOChipReference(from: &reader)
    let hasChip = reader.has("chip")
    let safeAfter = SafeAfter(from: &reader)
    var lines: [GPIOLineOptions] = []
    var homeless: [String] = []
    var first: [Place: NamedNode] = [:]
    for node in reader.namedEntries("lines", atMost: Self.lineLimit) {
      checkName(of: node, reader.diagnostics)
      if UInt64(node.name) != nil {
        reader.diagnostics.error(
          at: node.key, "\(quoted(node.name)) cannot be a line's name, since a number means a line's number")
      }
      guard var entry = node.reader(reader.diagnostics) else { continue }
      let own = entry.has("chip")
      let line = GPIOLineOptions(from: &entry, named: node.name, on: chip)
      if !own, !hasChip { homeless.append(node.path) }
      guard var line else { continue }
      line.inherit(safeAfter, has: node.value)
      if let other = first[Place(line)] {
        reader.diagnostics.error(
          at: node.key,
          "\(node.path) is line \(line.selector) of \(line.chip), which \(other.path) on line \(other.key.line) is already"
        )
      } else {
        first[Place(line)] = node
      }
      lines.append(line)
    }
    if !homeless.isEmpty {
      reader.diagnostics.error(
        at: reader.node,
        "\(listed(homeless)) \(homeless.count == 1 ? "has" : "have") no chip; write \(reader.path(of: "chip")) for all "
          + "lines, or chip in each")
    }
    let interlocks = GPIOInterlock.list(from: &reader, among: lines)
    guard reader.finish(hints: ["chips": "a chip may also stand in each line"]) else { return nil }
    self.init(lines: lines, interlocks: interlocks)
  }

  /// Where a line is, however its chip is written.
  private struct Place: Hashable {
    let chip: GPIOChipReference
    let selector: GPIOLineSelector

    init(_ line: GPIOLineOptions) {
      selector = line.selector
      let devices = "/dev/"
      switch line.chip {
      case .device(let name) where name.hasPrefix(devices + "gpiochip"):
        chip = .device(String(name.dropFirst(devices.count)))
      case .device, .simulated: chip = line.chip
      }
    }
  }
}

extension GPIOLineOptions {
  /// Beyond the lines of any chip.
  public static let offsetRange: ClosedRange<UInt32> = 0...4095
  public static let debounceRange = Duration.zero ... .seconds(10)
  public static let pollRange = Duration.milliseconds(1) ... .seconds(10)

  /// Reads `gpio.lines.NAME`.
  ///
  /// - Parameter chip: The chip of lines that name none; `nil` where there is none, or none that is right.
  fileprivate init?(from reader: inout MappingReader, named name: String, on chip: GPIOChipReference?) {
    reader.require("line", "direction")
    let chip = GPIOChipReference(from: &reader) ?? chip
    let selector = GPIOLineSelector(from: &reader, on: chip)
    let role = reader.word("direction", of: GPIORole.self)
    let direction = role?.direction
    let meter = GPIOMeter(from: &reader, named: name, role)
    let poll = reader.duration("poll", in: Self.pollRange)
    let isActiveLow = reader.boolean("active_low")
    let bias = reader.word("bias", of: Bias.self)
    let debounce = reader.duration("debounce", in: Self.debounceRange)
    let safe = reader.word("safe", of: Safe.self)
    let initial = reader.word("initial", of: ["on": true, "off": false])
    let safeAfter = SafeAfter(from: &reader, safe)
    let device = reader.nonEmptyString("device")
    switch direction {
    case .input: reader.refuse(["safe", "initial", "safe_after"], "\(name) is an input; only outputs are driven")
    case .output: reader.refuse(["bias", "debounce", "poll"], "\(name) is an output; only inputs have it")
    case nil: break
    }
    let hints = [
      "pin": "the key is \"line\"", "offset": "the key is \"line\"", "gpio": "the key is \"line\"",
      "pull": "the key is \"bias\"", "invert": "the key is \"active_low\"", "default": "the key is \"initial\"",
    ]
    guard reader.finish(hints: hints), let chip, let selector, let direction else { return nil }
    self.init(name: name, chip: chip, offset: 0, direction: direction)
    self.selector = selector
    self.meter = meter
    self.poll = poll ?? self.poll
    self.isActiveLow = isActiveLow ?? self.isActiveLow
    self.bias = bias ?? self.bias
    self.debounce = debounce ?? self.debounce
    self.safe = safe ?? self.safe
    self.initial = initial ?? (self.safe == .on)
    self.safeAfter = safeAfter?.duration
    self.device = device
  }
}

extension GPIOChipReference {
  /// Reads `chip` where it is there.
  fileprivate init?(from reader: inout MappingReader) {
    guard let text = reader.nonEmptyString("chip") else { return nil }
    let scheme = "simulated:"
    let simulated = text.hasPrefix(scheme)
    let path = simulated ? text.dropFirst(scheme.count) : text[...]
    let isPath = path.hasPrefix("/") && path.utf8.contains { $0 != UInt8(ascii: "/") }
    // The kernel's names and labels have no slash.
    guard isPath || !simulated && !path.utf8.contains(UInt8(ascii: "/")) else {
      reader.mismatch(
        "chip", expected: "a path such as /dev/gpiochip0, a chip's name or label, or simulated: with an absolute path")
      return nil
    }
    self = simulated ? .simulated(String(path.trimmingTrailingSlashes)) : .device(text)
  }
}

extension Substring {
  fileprivate var trimmingTrailingSlashes: Substring {
    var rest = self
    while rest.hasSuffix("/") { rest.removeLast() }
    return rest
  }
}

extension MappingReader {
  /// Reports each of `keys` that is there.
  mutating func refuse(_ keys: [String], _ reason: String) {
    for key in keys where has(key) { error(at: key, "\(path(of: key)) does not belong here: \(reason)") }
  }
}
