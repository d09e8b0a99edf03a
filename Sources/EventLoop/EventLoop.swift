internal import CKernel
internal import CSystemd
internal import Glibc
internal import Synchronization

/// The daemon's one thread: an `sd-event` loop that is also the executor of every actor and task of the daemon.
///
/// Isolation is by thread: an actor whose `unownedExecutor` is this loop runs on the thread that made the loop, and a
/// callback of one of the loop's sources may enter it with `assumeIsolated`. A root task is started with
/// `Task(executorPreference: loop)`, otherwise every resumption takes a detour over another thread.
///
/// Source: sd-event(3); Swift Evolution SE-0392 (serial executors), SE-0417 (task executors), SE-0424 (`checkIsolated`).
public final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
  // @unchecked: `inbox` is locked; everything else is touched by `owner`, the thread that made the loop, alone.
  let event: OpaquePointer
  private let owner = pthread_self()
  private let wakeDescriptor: CInt
  private let inbox = Mutex<[Work]>([])
  private var localWork: [Work] = []
  private var spareWork: [Work] = []
  private var wakeSource: OpaquePointer?
  private var isStopping = false

  private enum Work {
    case job(UnownedJob)
    case call(@Sendable () -> Void)
  }

  /// Makes a loop that belongs to the calling thread.
  ///
  /// - Throws: `SystemError` when the kernel refuses a descriptor.
  public init() throws(SystemError) {
    var event: OpaquePointer?
    try check("sd_event_new", sd_event_new(&event))
    guard let event else { throw SystemError("sd_event_new", errno: ENOMEM) }
    self.event = event
    wakeDescriptor = bg_eventfd()
    guard wakeDescriptor >= 0 else { throw SystemError("eventfd") }
    let context = Unmanaged.passUnretained(self).toOpaque()
    try check(
      "sd_event_add_io",
      sd_event_add_io(event, &wakeSource, wakeDescriptor, UInt32(EPOLLIN.rawValue), loopWasWoken, context))
  }

  deinit {
    sd_event_source_disable_unref(wakeSource)
    if wakeDescriptor >= 0 { close(wakeDescriptor) }
    sd_event_unref(event)
  }

  // MARK: Running

  /// Runs until `stop()`. Call it on the thread that made the loop.
  ///
  /// - Throws: `SystemError` when `epoll` itself fails; the loop cannot go on then.
  public func run() throws(SystemError) {
    precondition(isOnLoop, "the loop runs on the thread that made it")
    isStopping = false
    while !isStopping {
      runLocalWork()
      if isStopping { break }
      let result = sd_event_run(event, localWork.isEmpty ? UInt64.max : 0)
      if result < 0 && result != -EINTR { throw SystemError("sd_event_run", errno: -result) }
    }
  }

  /// Runs the loop until `body` has ended.
  ///
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws, or `SystemError` from the loop.
  public func run<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) throws -> Result {
    let outcome = Outcome<Result>()
    Task(executorPreference: self) {
      do { outcome.result = .success(try await body()) } catch { outcome.result = .failure(error) }
      self.stop()
    }
    try run()
    guard let result = outcome.result else { throw CancellationError() }
    return try result.get()
  }

  /// Ends `run()` after the work in hand. From any thread.
  public func stop() {
    if isOnLoop { isStopping = true } else { execute { self.isStopping = true } }
  }

  /// Whether the caller is on the loop's thread.
  public var isOnLoop: Bool { pthread_equal(pthread_self(), owner) != 0 }

  // MARK: Executor

  public func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

  /// Runs `body` on the loop, after what is queued already. From any thread.
  public func execute(_ body: @escaping @Sendable () -> Void) { add(.call(body)) }

  public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  /// Lets `assumeIsolated` pass in a source's callback, where no Swift job is running.
  public func checkIsolated() {
    precondition(isOnLoop, "not on the event loop")
  }

  private func add(_ work: Work) {
    if isOnLoop {
      localWork.append(work)
      return
    }
    let wasEmpty = inbox.withLock { inbox in
      inbox.append(work)
      return inbox.count == 1
    }
    // One wake-up serves all that is added until the loop takes the inbox.
    if wasEmpty { bg_eventfd_signal(wakeDescriptor) }
  }

  /// Rounds of queued work before the descriptors have their turn. A way through several actors is a hop for each, and
  /// one round for each: none of them waits for epoll. Jobs that enqueue jobs for ever hold nobody up for longer.
  private static let roundLimit = 32

  private func runLocalWork() {
    for _ in 0..<Self.roundLimit where !localWork.isEmpty && !isStopping { runRound() }
  }

  /// Runs what was queued when it began.
  private func runRound() {
    swap(&localWork, &spareWork)
    let serial = asUnownedSerialExecutor()
    let task = asUnownedTaskExecutor()
    for work in spareWork {
      switch work {
      case .job(let job): job.runSynchronously(isolatedTo: serial, taskExecutor: task)
      case .call(let body): body()
      }
    }
    spareWork.removeAll(keepingCapacity: true)
  }

  fileprivate func takeInbox() {
    bg_eventfd_clear(wakeDescriptor)
    let work = inbox.withLock { inbox in
      let work = inbox
      inbox.removeAll(keepingCapacity: true)
      return work
    }
    localWork.append(contentsOf: work)
  }
}

/// Carries a task's outcome to the thread that waits in `run`. @unchecked: both are the loop's thread.
private final class Outcome<Value: Sendable>: @unchecked Sendable {
  var result: Result<Value, any Error>?
}

private func loopWasWoken(
  _: OpaquePointer?, _: CInt, _: UInt32, _ context: UnsafeMutableRawPointer?
) -> CInt {
  guard let context else { return 0 }
  Unmanaged<EventLoop>.fromOpaque(context).takeUnretainedValue().takeInbox()
  return 0
}
