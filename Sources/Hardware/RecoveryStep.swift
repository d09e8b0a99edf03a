/// One rung of a ladder: what to do after something has been out of order for so long.
///
/// `server.unreachable: [{after: 30m, run: restart-modem}]`, `ports.NAME.silent: [{after: 5m, run: reopen}]`.
public struct RecoveryStep: Sendable, Hashable {
  /// Since the trouble began.
  public var after: Duration
  /// What is done: a program of `rpc.run`, or one of the words that need none (`reboot`; for ports `reopen` and
  /// `usb-reset`, too). A program of that name goes before the word.
  public var run: String

  public init(after: Duration, run: String) {
    self.after = after
    self.run = run
  }
}
