internal import CKernel
internal import Glibc
internal import Synchronization

/// Threads for calls that may block: disk writes, opening and closing ports, sysfs reads.
///
/// Threads start when they are first needed and then stay; an idle one costs no wake-up. A call that never returns
/// costs its thread and nothing else.
public final class BlockingPool: @unchecked Sendable {
  // @unchecked: `state` is guarded by `mutex`; the pointers never change.
  private struct State {
    var pending: [@Sendable () -> Void] = []
    var threads = 0
    var idle = 0
    var runningSince: [UInt64: Duration] = [:]
    var nextCall: UInt64 = 0
  }

  /// The name its threads bear in `top -H`, at most 15 bytes.
  public let name: String
  private let limit: Int
  private var state = State()
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// - Parameters:
  ///   - threads: The most threads it may start. One makes it a queue: calls run in order.
  public init(name: String, threads: Int) {
    self.name = name
    limit = max(1, threads)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  // No deinit: the pools live as long as the process, and a blocked thread would still use the mutex.

  /// Runs `body` on one of the threads and suspends the caller meanwhile. Cancelling the caller does not interrupt it.
  public func run<Result: Sendable, Failure: Error>(
    _ body: @escaping @Sendable () throws(Failure) -> Result
  ) async throws(Failure) -> Result {
    let result: Swift.Result<Result, Failure> = await withCheckedContinuation { continuation in
      submit {
        do throws(Failure) { continuation.resume(returning: .success(try body())) } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    return try result.get()
  }

  /// Runs `body` on one of the threads, in the order of submission where there is but one.
  public func submit(_ body: @escaping @Sendable () -> Void) {
    pthread_mutex_lock(mutex)
    state.pending.append(body)
    let needsThread = state.idle < state.pending.count && state.threads < limit
    if needsThread { state.threads += 1 }
    let isAwaited = state.idle > 0
    pthread_mutex_unlock(mutex)
    // Not before: the thread that wakes up would have to wait for the mutex.
    if isAwaited { pthread_cond_signal(condition) }
    if needsThread { startThread() }
  }

  /// How long the call that has run longest has been running; `nil` while none runs.
  public var longestCall: Duration? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return state.runningSince.values.min().map { Uptime.monotonic - $0 }
  }

  /// Calls that wait for a thread.
  public var waiting: Int {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return state.pending.count
  }

  /// 256 KiB: enough for open, fsync and getaddrinfo, and a tenth of what glibc would reserve.
  private static let stackSize = 256 * 1024

  private func startThread() {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setstacksize(&attributes, Self.stackSize)
    pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    defer { pthread_attr_destroy(&attributes) }
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self)
    // The loop's thread takes the signals.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    let failure = pthread_create(&thread, &attributes, poolThreadMain, context.toOpaque())
    pthread_sigmask(SIG_SETMASK, &before, nil)
    if failure != 0 {
      context.release()
      pthread_mutex_lock(mutex)
      state.threads -= 1
      let orphans = state.threads == 0 ? state.pending : []
      if state.threads == 0 { state.pending = [] }
      pthread_mutex_unlock(mutex)
      // Without any thread the calls still run, on the caller, rather than never.
      for call in orphans { call() }
      return
    }
  }

  fileprivate func work() -> Never {
    bg_name_thread(name)
    pthread_mutex_lock(mutex)
    while true {
      while state.pending.isEmpty {
        state.idle += 1
        pthread_cond_wait(condition, mutex)
        state.idle -= 1
      }
      let id = state.nextCall
      state.nextCall &+= 1
      state.runningSince[id] = Uptime.monotonic
      runFirst()
      state.runningSince[id] = nil
    }
  }

  /// Entered and left with the mutex held. Apart, so that what the call captured goes away without it: a `deinit` may
  /// submit a call.
  private func runFirst() {
    do {
      let call = state.pending.removeFirst()
      pthread_mutex_unlock(mutex)
      call()
    }
    pthread_mutex_lock(mutex)
  }
}

private func poolThreadMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let context else { return nil }
  Unmanaged<BlockingPool>.fromOpaque(context).takeRetainedValue().work()
}
