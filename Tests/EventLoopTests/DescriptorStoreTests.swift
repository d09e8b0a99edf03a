import CKernel
import Foundation
import Testing

@testable import EventLoop

/// The service manager's end of its socket.
final class FakeManager: @unchecked Sendable {
  // @unchecked: each test uses its own, on one thread at a time.
  let path: String
  private let socket: CInt

  init() throws {
    path = NSTemporaryDirectory() + "baudgate-notify-" + UUID().uuidString
    socket = Glibc.socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    try check("bind") {
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, size) }
      }
    }
  }

  deinit {
    close(socket)
    unlink(path)
  }

  /// The next message and the descriptor that came with it. Blocks its thread for 10 s at most.
  func take() -> (text: String, descriptor: CInt?)? {
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var text = [UInt8](repeating: 0, count: 512)
    // A header of 16 bytes and an int, aligned as in cmsg(3).
    var control = [UInt64](repeating: 0, count: 3)
    let (count, size) = text.withUnsafeMutableBytes { text in
      control.withUnsafeMutableBytes { control in
        var part = iovec(iov_base: text.baseAddress, iov_len: text.count)
        return withUnsafeMutablePointer(to: &part) { part in
          var message = msghdr()
          message.msg_iov = part
          message.msg_iovlen = 1
          message.msg_control = control.baseAddress
          message.msg_controllen = control.count
          let count = recvmsg(socket, &message, 0)
          return (count, message.msg_controllen)
        }
      }
    }
    guard count >= 0 else { return nil }
    let descriptor = size > 16 ? CInt(truncatingIfNeeded: control[2]) : nil
    return (String(decoding: text.prefix(count), as: UTF8.self), descriptor)
  }
}

/// Source: sd_notify(3).
@Suite struct DescriptorStoreTests {
  @Test func aDuplicateLivesOnWhereTheDescriptorIsClosed() throws {
    let manager = try FakeManager()
    let store = DescriptorStore(socket: manager.path)
    var ends: [CInt] = [-1, -1]
    pipe(&ends)
    try store.keep(ends[1], as: "gpio.gpiochip0.23")
    close(ends[1])
    let message = try #require(manager.take())
    #expect(message.text == "FDSTORE=1\nFDNAME=gpio.gpiochip0.23")
    let kept = try #require(message.descriptor)
    #expect(write(kept, "x", 1) == 1)
    var byte: UInt8 = 0
    #expect(read(ends[0], &byte, 1) == 1)
    close(kept)
    #expect(read(ends[0], &byte, 1) == 0, "nobody else has it")
    close(ends[0])
  }

  @Test func whoForgetsWaitsForTheManager() throws {
    let manager = try FakeManager()
    let store = DescriptorStore(socket: manager.path)
    try store.forget("gpio.gpiochip0.23", waits: false)
    #expect(try #require(manager.take()).text == "FDSTOREREMOVE=1\nFDNAME=gpio.gpiochip0.23")
    Thread { [manager] in
      _ = manager.take()
      if let end = manager.take()?.descriptor { close(end) }
    }.start()
    try store.forget("a", waits: true)
  }

  @Test func aManagerThatDoesNotReadIsNotWaitedForForEver() throws {
    let manager = try FakeManager()
    #expect(bg_notify_barrier(manager.path, 5) == -1)
    #expect(errno == ETIMEDOUT)
    // Its queue is full at some time.
    var failure: CInt = 0
    for _ in 0..<10_000 where failure == 0 {
      if bg_notify(manager.path, "STATUS=x", 8, -1) != 0 { failure = errno }
    }
    #expect(failure == EAGAIN)
  }

  @Test(arguments: ["", "/", "vsock:2:1234", "relative", "/nowhere/notify", "/" + String(repeating: "x", count: 200)])
  func aSocketThatIsNoneIsAnError(_ path: String) {
    #expect(throws: SystemError.self) { try DescriptorStore(socket: path).keep(0, as: "a") }
  }

  @Test(arguments: ["", "a:b", "a=b", "a b", "a\nb", "ä", String(repeating: "x", count: 256)])
  func aNameThatWouldMeanSomethingElseIsRefused(_ name: String) throws {
    let manager = try FakeManager()
    #expect(throws: SystemError.self) { try DescriptorStore(socket: manager.path).keep(0, as: name) }
  }

  @Test func whatIsPassedOnIsInheritedOnce() throws {
    var ends: [CInt] = [-1, -1]
    pipe(&ends)
    defer { for end in ends { close(end) } }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let both = [
      InheritedDescriptor(name: "gpio.gpiochip0.23", descriptor: ends[0]),
      InheritedDescriptor(name: "gpio.gpiochip0.24", descriptor: ends[1]),
    ]
    let text = DescriptorStore.passing(both + [InheritedDescriptor(name: "a b", descriptor: ends[0])])
    #expect(text == "\(ends[0])=gpio.gpiochip0.23 \(ends[1])=gpio.gpiochip0.24")
    #expect(fcntl(ends[0], F_GETFD) == 0, "execve(2) leaves it open")
    #expect(DescriptorStore.inherited(text) == both)
    #expect(fcntl(ends[0], F_GETFD) == FD_CLOEXEC, "what else is started does not get it")
    #expect(DescriptorStore.inherited("1=a -1=b x=c 99999=d 7 = \(ends[0])=") == [])
  }
}
