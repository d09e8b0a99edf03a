internal import CSystemd
internal import EventLoop

/// Asks systemd-logind over the system bus; whether it agrees is polkit's to say (`etc/polkit-1` has the rule).
///
/// Source: org.freedesktop.login1(5), sd_bus_call_method(3).
struct Logind: Sendable {
  /// How long it may take to answer.
  static let timeLimit = Duration.seconds(10)

  /// A bus to use in place of the system's, `unix:path=…`; for tests.
  private let address: String?
  private let pool: BlockingPool

  init(address: String? = nil, pool: BlockingPool = BlockingPool(name: "logind", threads: 1)) {
    self.address = address
    self.pool = pool
  }

  /// Restarts the board.
  ///
  /// Returns as soon as logind has agreed.
  func reboot() async throws(CommandError) {
    try await pool.run { [address] () throws(CommandError) in
      let size = 256
      var words = [CChar](repeating: 0, count: size)
      let limit = UInt64(Self.timeLimit.wholeMilliseconds) * 1000
      let result = bg_logind_reboot(address, limit, &words, size)
      guard result < 0 else { return }
      let said = words.withUnsafeBufferPointer { characters in
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      }
      let cause = said.isEmpty ? SystemError.message(of: -result) : said
      throw CommandError(
        .unavailable,
        "logind does not restart the board: \(cause); is polkit's rule 50-baudgate.rules installed?")
    }
  }
}
