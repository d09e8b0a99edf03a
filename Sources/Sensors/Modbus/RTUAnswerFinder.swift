internal import Telemetry

/// Finds an answer among RTU's bytes by its length, which the question tells.
///
/// Each byte may be an answer's last one: the bytes before it are looked at as if it were. So a bad CRC, our own echo,
/// noise or another unit's late answer costs nothing but itself.
///
/// Source: Modbus over Serial Line V1.02, 2.5.1. Its silences are not measured: USB adapters deliver in bursts.
struct RTUAnswerFinder: AnswerFinder {
  private let pattern: AnswerPattern
  private let sent: [UInt8]
  /// The newest bytes, fewer than twice `capacity`.
  private var window: [UInt8] = []
  private let capacity: Int
  private var count = 0
  /// Nothing counts before it.
  private(set) var awaitsEcho: Bool
  private(set) var hasUnexpectedEcho = false

  private static let crcLength = 2

  /// - Parameters:
  ///   - sent: The question's frame.
  ///   - hasEcho: Whether it comes back before any answer does.
  init(_ pattern: AnswerPattern, sent: [UInt8], hasEcho: Bool) {
    self.pattern = pattern
    self.sent = sent
    awaitsEcho = hasEcho
    capacity = max(pattern.length + Self.crcLength, sent.count)
  }

  mutating func expectEcho() { awaitsEcho = true }

  mutating func feed(_ bytes: [UInt8]) -> [UInt8]? {
    for byte in bytes {
      count &+= 1
      if window.count >= 2 * capacity { window.removeFirst(window.count - capacity) }
      window.append(byte)
      if awaitsEcho {
        guard window.suffix(sent.count).elementsEqual(sent) else { continue }
        awaitsEcho = false
        window.removeAll(keepingCapacity: true)
        continue
      }
      if pattern.isUnlikeQuestion, window.suffix(sent.count).elementsEqual(sent) { hasUnexpectedEcho = true }
      if let answer = answer(of: pattern.length) ?? answer(of: AnswerPattern.exceptionLength) { return answer }
    }
    return nil
  }

  /// The protocol data unit of the frame that ends here and has a unit and so many bytes before its CRC.
  private func answer(of length: Int) -> [UInt8]? {
    let frame = window.suffix(length + Self.crcLength)
    guard frame.count == length + Self.crcLength, frame.first == pattern.unit else { return nil }
    let message = frame.dropLast(Self.crcLength)
    guard pattern.isAnswer(message) || pattern.isException(message), ModbusCRC.fits(frame) else { return nil }
    return Array(message.dropFirst())
  }

  // MARK: Complaint

  var complaint: String? {
    guard count > 0 else { return nil }
    if awaitsEcho {
      return notAnAnswer(count, "our own question did not come back, as it does on a line with echo")
    }
    // Behind the echo that was waited for there may be nothing at all.
    return window.isEmpty ? "only our own question came back" : notAnAnswer(count, reason)
  }

  private var reason: String {
    var own: String?
    var other: String?
    for start in window.indices {
      let rest = window[start...]
      guard let length = Self.length(of: rest), ModbusCRC.fits(rest.prefix(length)) else { continue }
      let message = rest.prefix(length - Self.crcLength)
      if message.elementsEqual(pattern.question) {
        other = other ?? pattern.described(message)
      } else if message.first == pattern.unit {
        own = own ?? pattern.described(message)
      } else {
        other = pattern.described(message)
      }
    }
    return own ?? damaged ?? other ?? "\(quoted(window, limit: 16)); check baud, parity and the wiring"
  }

  /// What begins as the answer does and is too short, or has another CRC.
  private var damaged: String? {
    let whole = pattern.length + Self.crcLength
    for start in window.indices where window[start...].starts(with: pattern.head) {
      let frame = window[start...].prefix(whole)
      guard frame.count == whole else { return "the first \(frame.count) bytes of one with \(whole)" }
      let message = frame.dropLast(Self.crcLength)
      let crc = ModbusCRC.of(message)
      let found = frame.suffix(Self.crcLength).reversed().reduce(UInt16(0)) { $0 << 8 | UInt16($1) }
      // Of an answer that repeats the question only a frame with a good CRC is left to speak of.
      if found != crc {
        return "CRC \(hexadecimal(found)) where \(hexadecimal(crc)) was expected; check parity, wiring and termination"
      }
    }
    return nil
  }

  /// Bytes of the frame that begins here, as its own bytes say; `nil` where it is not whole, or none.
  private static func length(of bytes: ArraySlice<UInt8>) -> Int? {
    let head = Array(bytes.prefix(3))
    guard head.count == 3 else { return nil }
    let length: Int
    switch head[1] {
    case 1...4, 23: length = 3 + Int(head[2]) + crcLength
    case 5, 6, 15, 16: length = 8
    case 22: length = 10
    case 0x81...0x97: length = AnswerPattern.exceptionLength + crcLength
    default: return nil
    }
    // A question of functions 1 to 4 has eight bytes.
    if (1...4).contains(head[1]), bytes.count >= 8, ModbusCRC.fits(bytes.prefix(8)) { return 8 }
    return length <= bytes.count ? length : nil
  }
}
