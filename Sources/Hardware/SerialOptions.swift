/// How a port is opened: `ports.NAME`, checked.
public struct SerialOptions: Sendable, Hashable {
  public enum Parity: String, Sendable, CaseIterable { case none, even, odd, mark, space }

  public enum FlowControl: String, Sendable, CaseIterable {
    case none
    case rtsCTS = "rts_cts"
    case xonXOFF = "xon_xoff"
  }

  /// The device, followed through symbolic links anew at every opening.
  public var path: String
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
  /// `silent:`, by time: what is done about a port that is there and says nothing. Changes nothing about how it is opened.
  public var silent: [RecoveryStep] = []

  public init(
    path: String, baud: Int = 9600, dataBits: Int = 8, parity: Parity = .none, stopBits: Int = 1,
    flow: FlowControl = .none, hangUpOnClose: Bool = false
  ) {
    self.path = path
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
    return self == same
  }
}
