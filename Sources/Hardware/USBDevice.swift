internal import CKernel
internal import EventLoop
internal import Glibc

/// The USB device behind a serial line, and its reset: as if it were unplugged and plugged in again, as far as a hub can
/// do that by its data lines. The line hangs up meanwhile and may come back under another number.
///
/// Source: the kernel's Documentation/ABI/stable/sysfs-bus-usb (`busnum`, `devnum`), usbdevice_fs.h.
public struct USBDevice: Sendable, Hashable {
  /// Where the kernel's trees are: the real ones, or a test's.
  public struct Roots: Sendable {
    public var sysfs: String
    public var devices: String
    public init(sysfs: String = "/sys", devices: String = "/dev") {
      self.sysfs = sysfs
      self.devices = devices
    }
  }

  /// Directories between a tty and its device at most: port, interface, device, and some to spare.
  static let walkLimit = 8
  /// Bytes of `busnum` and `devnum` that are read.
  private static let numberLength = 16

  /// By bus and ports, `1-1.2`.
  public let name: String
  public let bus: Int
  public let number: Int
  /// `/dev/bus/usb/001/004`
  public let path: String

  /// Finds the device that a serial line belongs to. Reads sysfs: not on the loop.
  ///
  /// - Parameter line: `/dev/ttyUSB0`, or a link to it such as `/dev/serial/by-id/…`.
  /// - Throws: `USBError`: `.absent`, `.notUSB`.
  public init(of line: String, roots: Roots = Roots()) throws(USBError) {
    guard let node = Self.resolved(line) else { throw .absent(line) }
    let tty = node[(node.lastIndex(of: "/").map { node.index(after: $0) } ?? node.startIndex)...]
    guard let start = Self.resolved("\(roots.sysfs)/class/tty/\(tty)/device"), let top = Self.resolved(roots.sysfs)
    else { throw .notUSB(line) }
    var directory = start[...]
    for _ in 0..<Self.walkLimit {
      guard directory.hasPrefix("\(top)/"), let slash = directory.lastIndex(of: "/") else { break }
      if let bus = Self.number("\(directory)/busnum"), let number = Self.number("\(directory)/devnum") {
        name = String(directory[directory.index(after: slash)...])
        self.bus = bus
        self.number = number
        path = "\(roots.devices)/bus/usb/\(Self.threeDigits(bus))/\(Self.threeDigits(number))"
        return
      }
      directory = directory[..<slash]
    }
    throw .notUSB(line)
  }

  /// Resets it. Takes as long as the device needs to come back, seconds where it does not: not on the loop.
  ///
  /// - Throws: `USBError`: `.absent`, `.forbidden`, `.failed`.
  public func reset() throws(USBError) { try reset(by: bg_usb_reset) }

  func reset(by call: (CInt) -> CInt) throws(USBError) {
    let descriptor: CInt
    do throws(SystemError) {
      descriptor = try check("open") { bg_open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY, 0) }
    } catch { throw .opening(self, error) }
    defer { close(descriptor) }
    do throws(SystemError) { try check("ioctl USBDEVFS_RESET") { call(descriptor) } } catch {
      throw .resetting(self, error)
    }
  }

  /// The path without symbolic links; `nil` where nothing is there.
  private static func resolved(_ path: String) -> String? {
    guard !path.utf8.contains(0), let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
  }

  /// A file that holds a decimal number from 1 to 999: device nodes have three digits.
  private static func number(_ path: String) -> Int? {
    let file = bg_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: numberLength)
    guard let count = try? check("read", { read(file, &bytes, bytes.count) }) else { return nil }
    let digits = bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") }
    guard let number = Int(String(decoding: digits, as: UTF8.self)), (1...999).contains(number) else { return nil }
    return number
  }

  private static func threeDigits(_ number: Int) -> String {
    String(repeating: "0", count: max(0, 3 - String(number).count)) + String(number)
  }
}
