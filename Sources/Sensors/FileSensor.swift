/// One sensor that is read from files of the kernel: 1-wire, IIO, hwmon, thermal zones.
public protocol FileSensor: Sendable {
  /// Reads it once. May wait for a bus, or a second for a conversion: not on the loop.
  ///
  /// - Parameter sensor: The index that samples and faults carry.
  mutating func read(as sensor: Int, into output: inout DecoderOutput)
}
