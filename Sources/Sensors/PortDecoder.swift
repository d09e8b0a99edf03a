public import Telemetry

/// What turns one port's bytes into samples.
///
/// One decoder serves all sensors of a port: lines of two templates may share a wire. It is called on the loop for every
/// read, never waits, and holds no more than its protocol's limits allow, whatever arrives.
public protocol PortDecoder: Sendable {
  /// Forgets partial input: what arrives next may begin in the middle of a line or frame.
  ///
  /// A new decoder that has not been told so takes its first byte for a beginning, as a file's is.
  mutating func portOpened()

  /// Goes on in the place of another one on a port that stays open. Where both cut the bytes alike it takes over what
  /// has arrived of a line or frame; else, as unless implemented, it begins as `portOpened` does.
  mutating func takeOver(from other: any PortDecoder)

  /// Takes what one read(2) delivered.
  ///
  /// - Parameters:
  ///   - time: When the read delivered it; it becomes the time of every sample completed here.
  ///   - output: Samples and faults are appended in the order of arrival.
  mutating func feed(_ bytes: [UInt8], at time: CaptureTime, into output: inout DecoderOutput)
}

extension PortDecoder {
  public mutating func takeOver(from other: any PortDecoder) { portOpened() }
}

/// What decoders found; kept by the caller and emptied between reads, so that its memory is used again.
public struct DecoderOutput: Sendable {
  /// `sensor` is the index among the options the decoder was made from.
  public var samples: [(sensor: Int, sample: Sample)] = []
  public var faults: [(sensor: Int, fault: DecodingFault)] = []

  public init() {}

  public mutating func removeAll() {
    samples.removeAll(keepingCapacity: true)
    faults.removeAll(keepingCapacity: true)
  }
}
