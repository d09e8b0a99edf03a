/// `gpio:` of the configuration, checked: no line stands in it twice.
public struct GPIOOptions: Sendable, Equatable {
  /// In the order of the file.
  public var lines: [GPIOLineOptions]
  /// Of each at most one line is on.
  public var interlocks: [GPIOInterlock]

  public init(lines: [GPIOLineOptions] = [], interlocks: [GPIOInterlock] = []) {
    self.lines = lines
    self.interlocks = interlocks
  }
}

/// `gpio.lines.NAME`.
public struct GPIOLineOptions: Sendable, Equatable {
  public enum Direction: String, Sendable, CaseIterable { case input, output }

  /// What holds an open input; `asIs` leaves it as it was found.
  public enum Bias: String, Sendable, CaseIterable {
    case asIs = "as_is"
    case pullUp = "pull_up"
    case pullDown = "pull_down"
    case disabled
  }

  /// What an output is left at when the daemon ends.
  public enum Safe: String, Sendable, CaseIterable { case on, off, hold }

  public var name: String
  public var chip: GPIOChipReference
  /// Which line of its chip.
  public var selector: GPIOLineSelector
  public var direction: Direction
  public var bias = Bias.asIs
  /// How long an input must stand before it counts, by the kernel where it can.
  public var debounce = Duration.zero
  /// How often an input without an interrupt is read.
  public var poll = Duration.milliseconds(20)
  /// What is made of an input's edges; `nil` where its level is told.
  public var meter: GPIOMeter?
  /// Whether a low level means on.
  public var isActiveLow = false
  /// An output's value from the moment it is requested; its safe value where the file does not say.
  public var initial = false
  public var safe = Safe.off
  /// How long the server may be out of reach before an output takes its safe value; `nil` for ever.
  public var safeAfter: Duration?
  /// The entry of `devices:` it belongs to; `nil` for the gateway itself.
  public var device: String?

  public init(name: String, chip: GPIOChipReference, offset: UInt32, direction: Direction) {
    self.name = name
    self.chip = chip
    selector = .offset(offset)
    self.direction = direction
  }

  /// The line's number on its chip; `nil` where the file has the kernel's name.
  public var offset: UInt32? {
    get { if case .offset(let offset) = selector { offset } else { nil } }
    set { if let newValue { selector = .offset(newValue) } }
  }

  /// Whether both name one line of one chip, used the same way.
  func isSameLine(as other: GPIOLineOptions) -> Bool {
    chip == other.chip && selector == other.selector && direction == other.direction
  }

  /// Whether a line that was requested by these options need not be requested again for the others.
  func isServedLike(_ other: GPIOLineOptions) -> Bool {
    guard isSameLine(as: other), isActiveLow == other.isActiveLow else { return false }
    return direction == .output
      || bias == other.bias && debounce == other.debounce && edges == other.edges
        && (meter == nil) == (other.meter == nil)
  }
}

/// Where a line is.
public enum GPIOChipReference: Sendable, Hashable, CustomStringConvertible {
  /// A character device's path, name (`gpiochip0`) or label (`pinctrl-bcm2711`).
  case device(String)
  /// `simulated:DIRECTORY`: one file `lineN` per line with one byte, `0` or `1`.
  case simulated(String)

  public var description: String {
    switch self {
    case .device(let name): name
    case .simulated(let directory): "simulated:\(directory)"
    }
  }
}
