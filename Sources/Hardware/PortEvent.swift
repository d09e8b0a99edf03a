public import Telemetry

/// What a port tells its owner, on the loop, in order.
public enum PortEvent: Sendable {
  /// The port is open; the options are those granted. What follows may begin in the middle of a line or frame.
  case opened(SerialOptions)
  /// At least one byte, at most `SerialPort.readLimit`, and when they were read.
  case received([UInt8], at: CaptureTime)
  /// An open port was lost; it is opened again without being asked.
  case lost(PortError)
}
