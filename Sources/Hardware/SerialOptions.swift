/// How a port is opened: `ports.NAME`, checked.
public struct SerialOptions: Sendable, Hashable {
  public enum Parity: String, Sendable, CaseIterable { case none, even, odd, mark, space }

  public enum FlowControl: String, Sendable, CaseIterable {
    case none
    case rtsCTS = "rts_cts"
    case xonXOFF = "xon_xoff"
  }

  public var location: PortLocation
  /// Bits per second, any rate the driver can make.
  public var baud: Int
  /// 5 to 8.
  public var dataBits: Int
  public var parity: Parity
  /// 1 or 2.
  public var stopBits: Int
  public var flow: FlowControl
  /// Whether the last close drops DTR and RTS (HUPCL), which resets many Arduinos.
  public var hangUpOnClose: Bool
  /// `rs485:`; `nil` leaves the driver's mode as it is.
  public var rs485: RS485Options?
  /// `dtr:`, `rts:`: how these two stand right after opening; `nil` leaves them to the driver, which mostly raises both.
  public var dtr: Bool?
  public var rts: Bool?
  /// `low_latency:`: the driver hands on what arrives at once; adapters wait up to 16 ms otherwise.
  public var isLowLatency = false
  /// How units on it are asked. Changes nothing about how it is opened.
  public var bus = BusOptions()
  /// `silent:`, by time: what is done about a port that is there and says nothing. Changes nothing about how it is opened.
  public var silent: [RecoveryStep] = []

  /// The location in words: a path where it is one.
  public var path: String { "\(location)" }

  public init(
    path: String, baud: Int = 9600, dataBits: Int = 8, parity: Parity = .none, stopBits: Int = 1,
    flow: FlowControl = .none, hangUpOnClose: Bool = false
  ) {
    location = .path(path)
    self.baud = baud
    self.dataBits = dataBits
    self.parity = parity
    self.stopBits = stopBits
    self.flow = flow
    self.hangUpOnClose = hangUpOnClose
  }

  /// Whether a port that is open by these options need not be opened again for the others.
  public func opensLike(_ other: SerialOptions) -> Bool {
    var same = other
    same.silent = silent
    same.bus = bus
    return self == same
  }
}
