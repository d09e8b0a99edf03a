internal import Telemetry

/// One value of a sensor that is read from files.
struct SysfsValue: Sendable, Equatable {
  /// As the configuration calls it, without prefix.
  let name: String
  let key: Key
  /// The person's own `scale` and `offset`, applied last.
  let scale: LinearScale?

  /// - Throws: `.outOfRange` for what no double holds.
  func reading(_ number: Double) throws(DecodingFault) -> Reading {
    let value = scale.map { $0(number) } ?? number
    guard value.isFinite else { throw DecodingFault(.outOfRange, "\(number) is out of range once it is scaled") }
    return Reading(key, .double(value))
  }
}

/// What stands in a file.
enum SysfsText {
  /// Without white space around it.
  static func trimmed(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
    var text = bytes[...]
    while let last = text.last, isSpace(last) { text.removeLast() }
    while let first = text.first, isSpace(first) { text.removeFirst() }
    return text
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte <= UInt8(ascii: " ") }

  /// The words of all its lines.
  static func words(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] { bytes.split(whereSeparator: isSpace) }

  static func string(_ bytes: [UInt8]) -> String { String(decoding: trimmed(bytes), as: UTF8.self) }
}

/// A quantity's factor to the unit Baudgate sends.
enum SysfsUnit: Sendable, Equatable {
  /// As the kernel gives it.
  case one
  case milli
  case micro

  /// From a kernel's number times `scale`.
  func factor(_ scale: Double = 1) -> LinearScale {
    switch self {
    case .one: LinearScale(scale: scale)
    case .milli: LinearScale(scale: scale / 1000)
    case .micro: LinearScale(scale: scale / 1_000_000)
    }
  }
}
