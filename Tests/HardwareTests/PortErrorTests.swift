import EventLoop
import Foundation
import Testing

@testable import Hardware

/// What the kernel said, in words a person can act on.
@Suite struct PortErrorTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let errno: CInt
    let code: PortError.Code
    let words: String
    init(_ description: String, _ errno: CInt, _ code: PortError.Code, says words: String) {
      (testDescription, self.errno, self.code, self.words) = (description, errno, code, words)
    }
  }

  @Test(arguments: [
    Row("no such file", ENOENT, .absent, says: "not there"),
    Row("no such device", ENODEV, .absent, says: "no device behind it"),
    Row("no such device or address", ENXIO, .absent, says: "no device behind it"),
    Row("permission denied", EACCES, .forbidden, says: "dialout"),
    Row("busy", EBUSY, .inUse, says: "fuser -v /dev/ttyUSB0"),
    Row("a directory", EISDIR, .notATerminal, says: "path:"),
    Row("no descriptor left", EMFILE, .failed, says: "LimitNOFILE="),
    Row("anything else", ELOOP, .failed, says: "cannot open"),
  ])
  func ofOpening(_ row: Row) {
    let error = PortError.opening("/dev/ttyUSB0", SystemError("open", errno: row.errno))
    #expect(error.code == row.code)
    #expect(error.message.contains(row.words))
    #expect(error.message.contains("/dev/ttyUSB0"))
    #expect(error.description.hasSuffix("(open: \(SystemError.message(of: row.errno)))"))
  }

  @Test(arguments: [
    Row("unplugged meanwhile", ENODEV, .gone, says: "went away"),
    Row("no chip", EIO, .failed, says: "no chip"),
    Row("a rate the driver cannot make", EINVAL, .failed, says: "refuses 9600 8N1"),
    Row("anything else", ENOTTY, .failed, says: "cannot set"),
  ])
  func ofConfiguring(_ row: Row) {
    let error = PortError.configuring("/dev/ttyUSB0", "9600 8N1", SystemError("ioctl", errno: row.errno))
    #expect(error.code == row.code)
    #expect(error.message.contains(row.words))
  }

  @Test(arguments: [
    Row("hung up", EIO, .gone, says: "hung up"),
    Row("no such device or address", ENXIO, .gone, says: "hung up"),
    Row("no such device", ENODEV, .gone, says: "hung up"),
    Row("anything else", ENOMEM, .failed, says: "driver"),
  ])
  func ofTransferring(_ row: Row) {
    let error = PortError.transferring("/dev/ttyUSB0", SystemError("read", errno: row.errno))
    #expect(error.code == row.code)
    #expect(error.message.contains(row.words))
  }
}
