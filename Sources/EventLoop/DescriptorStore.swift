internal import CKernel
internal import CSystemd
internal import Glibc

/// A descriptor that was opened by the process before this one.
public struct InheritedDescriptor: Sendable, Hashable {
  public var name: String
  public var descriptor: CInt

  public init(name: String, descriptor: CInt) {
    self.name = name
    self.descriptor = descriptor
  }
}

/// The service manager's store: descriptors that stay open while no process of the service runs.
///
/// It keeps as many as `FileDescriptorStoreMax=` says, over crashes and restarts; over a stop only with
/// `FileDescriptorStorePreserve=yes` (systemd 254). One at which a hang-up or an error is seen goes by itself.
///
/// Source: sd_notify(3), FDSTORE=1; sd_listen_fds(3).
public struct DescriptorStore: Sendable {
  /// How long `forget` waits for the manager.
  static let patience = Duration.seconds(1)
  /// Bytes of a name, sd_notify(3).
  static let nameLimit = 255
  /// Where a program that takes this one's place finds what it inherits: `7=gpio.gpiochip0.23 9=…`
  static let variable = "BAUDGATE_DESCRIPTORS"

  private let socket: String

  /// - Parameter socket: The manager's, as `NOTIFY_SOCKET` has it.
  public init(socket: String) { self.socket = socket }

  /// The store of the manager that has started this process; `nil` without one.
  public static var here: DescriptorStore? {
    guard let socket = getenv("NOTIFY_SOCKET") else { return nil }
    return DescriptorStore(socket: String(cString: socket))
  }

  /// Hands over a duplicate. Never waits. The manager says nothing where it does not take it.
  ///
  /// - Parameter name: ASCII without control characters, spaces, `:` and `=`.
  public func keep(_ descriptor: CInt, as name: String) throws(SystemError) {
    guard Self.isName(name) else { throw SystemError("sendmsg \(socket)", errno: EINVAL) }
    try send("FDSTORE=1\nFDNAME=\(name)", with: descriptor)
  }

  /// Has the manager close what it keeps under a name; nothing where there is none.
  ///
  /// - Parameter waits: Whether to return only when it has, after a second at most: what the descriptor held is free then.
  public func forget(_ name: String, waits: Bool) throws(SystemError) {
    guard Self.isName(name) else { return }
    try send("FDSTOREREMOVE=1\nFDNAME=\(name)")
    guard waits else { return }
    try check("poll \(socket)") { bg_notify_barrier(socket, CInt(Self.patience.wholeMilliseconds)) }
  }

  private func send(_ text: String, with descriptor: CInt = -1) throws(SystemError) {
    try check("sendmsg \(socket)") { bg_notify(socket, text, text.utf8.count, descriptor) }
  }

  static func isName(_ name: String) -> Bool {
    (1...nameLimit).contains(name.utf8.count)
      && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "=") }
  }

  // MARK: What is inherited

  /// What the manager, or the program this one has taken the place of, hands over; the environment says nothing of it
  /// afterwards. Close what is not wanted.
  ///
  /// - Note: Once, before a second thread starts.
  public static func inherited() -> [InheritedDescriptor] {
    var result: [InheritedDescriptor] = []
    var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    let count = sd_listen_fds_with_names(1, &names)
    for index in 0..<max(0, Int(count)) {
      guard let name = names?[index] else { continue }
      result.append(InheritedDescriptor(name: String(cString: name), descriptor: SD_LISTEN_FDS_START + CInt(index)))
      free(name)
    }
    free(names)
    if let text = getenv(variable) { result += inherited(String(cString: text)) }
    unsetenv(variable)
    return result
  }

  /// - Returns: Those that are open; they are closed by the next execve(2).
  static func inherited(_ text: String) -> [InheritedDescriptor] {
    text.split(separator: " ").compactMap { entry in
      let parts = entry.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let descriptor = CInt(parts[0]), descriptor > STDERR_FILENO, isName(String(parts[1])),
        bg_set_close_on_exec(descriptor, 1) == 0
      else { return nil }
      return InheritedDescriptor(name: String(parts[1]), descriptor: descriptor)
    }
  }

  /// Has the program that takes this one's place inherit these: right before execve(2).
  public static func passOn(_ descriptors: [InheritedDescriptor]) {
    let text = passing(descriptors)
    if !text.isEmpty { setenv(variable, text, 1) }
  }

  static func passing(_ descriptors: [InheritedDescriptor]) -> String {
    descriptors.filter { isName($0.name) && bg_set_close_on_exec($0.descriptor, 0) == 0 }
      .map { "\($0.descriptor)=\($0.name)" }.joined(separator: " ")
  }
}
