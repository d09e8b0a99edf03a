internal import CSystemd
internal import Glibc

/// A signal as an event. Made before any other thread is started, so that every thread blocks the signal.
public final class SignalSource {
  /// The signals a service meets.
  public enum Signal: Sendable {
    case terminate, interrupt, hangup

    var number: CInt {
      switch self {
      case .terminate: SIGTERM
      case .interrupt: SIGINT
      case .hangup: SIGHUP
      }
    }
  }

  private var source: OpaquePointer?
  private let handler: () -> Void

  /// Blocks the signal for this thread and those it will start, and reports it on the loop.
  public init(_ loop: EventLoop, _ signal: Signal, handler: @escaping () -> Void) throws(SystemError) {
    self.handler = handler
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, signal.number)
    let failure = pthread_sigmask(SIG_BLOCK, &set, nil)
    guard failure == 0 else { throw SystemError("pthread_sigmask", errno: failure) }
    let context = Unmanaged.passUnretained(self).toOpaque()
    try check(
      "sd_event_add_signal", sd_event_add_signal(loop.event, &source, signal.number, signalArrived, context))
  }

  deinit { sd_event_source_disable_unref(source) }

  /// SIGPIPE ends a process that writes to a closed socket; every write here checks its result instead.
  public static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

  fileprivate func dispatch() {
    withExtendedLifetime(self) { handler() }
  }
}

private func signalArrived(
  _: OpaquePointer?, _: UnsafePointer<signalfd_siginfo>?, _ context: UnsafeMutableRawPointer?
) -> CInt {
  guard let context else { return 0 }
  Unmanaged<SignalSource>.fromOpaque(context).takeUnretainedValue().dispatch()
  return 0
}
