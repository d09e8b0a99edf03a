/// How long a character takes on a line, and how long it must be silent between two frames.
///
/// Source: MODBUS over Serial Line, Specification and Implementation Guide V1.02, 2.5.1.1: 3.5 characters; a fixed
/// 1.750 ms above 19,200 baud.
struct BusTiming: Sendable, Hashable {
  /// Above this rate the silence is no longer counted in characters.
  static let fastestCounted = 19_200
  static let fixedSilence = Duration.microseconds(1750)

  var character: Duration
  var silence: Duration

  /// - Parameter line: What the driver granted; a rate below 1 counts as 1.
  init(_ line: SerialOptions) {
    let bits = 1 + line.dataBits + (line.parity == .none ? 0 : 1) + line.stopBits
    character = .seconds(bits) / max(1, line.baud)
    silence = line.baud > Self.fastestCounted ? Self.fixedSilence : character * 7 / 2
  }

  init(character: Duration, silence: Duration) {
    self.character = character
    self.silence = silence
  }
}
