internal import Glibc
internal import CKernel

/// Which start of the machine a `CLOCK_BOOTTIME` value belongs to. Source: random(4), `/proc/sys/kernel/random/boot_id`.
public struct BootID: Sendable, Hashable {
  var high: UInt64
  var low: UInt64

  /// Where the kernel did not tell.
  public static let unknown = BootID(high: 0, low: 0)

  /// The running system's.
  public static let current: BootID = {
    let file = bg_open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { return .unknown }
    defer { close(file) }
    var text = [UInt8](repeating: 0, count: 64)
    let count = text.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
    return BootID(parsing: text.prefix(max(0, count))) ?? .unknown
  }()

  init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Takes the 32 hexadecimal digits, with or without dashes.
  init?(parsing text: some Sequence<UInt8>) {
    var digits: [UInt64] = []
    for byte in text where byte != UInt8(ascii: "-") && byte != UInt8(ascii: "\n") {
      guard let digit = Character(UnicodeScalar(byte)).hexDigitValue, digits.count < 32 else { return nil }
      digits.append(UInt64(digit))
    }
    guard digits.count == 32 else { return nil }
    high = digits[..<16].reduce(0) { $0 << 4 | $1 }
    low = digits[16...].reduce(0) { $0 << 4 | $1 }
  }
}
