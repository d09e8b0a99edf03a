public import Glibc

/// A system call that failed: which one, and its `errno`, taken at once.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The call as in its manual page, `open`, `fdatasync`, `sd_event_add_io`.
  public let call: String
  /// The positive error number, errno(3).
  public let errno: CInt

  /// - Parameters:
  ///   - call: The call that failed.
  ///   - errno: Its error number; the thread's current one unless given.
  public init(_ call: String, errno: CInt = Glibc.errno) {
    self.call = call
    self.errno = errno
  }

  /// `open: No such file or directory`
  public var description: String { "\(call): \(Self.message(of: errno))" }

  /// The manual's words for an error number.
  public static func message(of errno: CInt) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(errno, &buffer, buffer.count) == 0 else { return "error \(errno)" }
    return buffer.withUnsafeBufferPointer { bytes in
      String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}

/// Runs a call that answers a negative value and sets `errno` on failure; repeats it after `EINTR`.
@discardableResult
public func check(_ call: @autoclosure () -> String, _ body: () -> CInt) throws(SystemError) -> CInt {
  CInt(truncatingIfNeeded: try check(call()) { Int(body()) })
}

/// The same for calls that count bytes.
// Not generic: across modules each call would go through the witness table of its integer.
@discardableResult
public func check(_ call: @autoclosure () -> String, _ body: () -> Int) throws(SystemError) -> Int {
  while true {
    let result = body()
    if result >= 0 { return result }
    let error = Glibc.errno
    if error != EINTR { throw SystemError(call(), errno: error) }
  }
}

/// Checks a result in systemd's style, a negative `errno`.
@discardableResult
func check(_ call: String, _ result: CInt) throws(SystemError) -> CInt {
  guard result >= 0 else { throw SystemError(call, errno: -result) }
  return result
}
