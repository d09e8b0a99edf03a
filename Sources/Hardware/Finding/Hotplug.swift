public import EventLoop
public import Logging

/// Tells ports of what is plugged in and pulled: one that waits for its device looks at once, one whose device is gone
/// is closed at once. Shared by all ports; without it, or where nobody tells, they look by their timers.
public actor Hotplug {
  public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// News taken before others on the loop have their turn; the rest waits in the kernel.
  static let newsLimit = 64
  /// Failures in a row after which the source is given up.
  static let failureLimit = 16

  /// Made on the pool.
  typealias MakeSource = @Sendable () -> Result<any DeviceNewsSource, SystemError>

  private struct Member {
    weak var port: SerialPort?
  }

  private nonisolated let loop: EventLoop
  private let pool: BlockingPool
  private let log: Logger
  private nonisolated let finder: PortFinder
  private let makeSource: MakeSource
  private var members: [String: Member] = [:]
  private var isStarted = false
  private var news: (any DeviceNewsSource)?
  private var source: IOSource?
  private var failures = 0

  /// - Parameters:
  ///   - pool: The ports' own: the source is made there.
  ///   - open: Opens a node, or what is no device here.
  public init(
    on loop: EventLoop, pool: BlockingPool, log: Logger, open: @escaping SerialPort.Opener = openStream
  ) {
    self.init(on: loop, pool: pool, log: log, finder: PortFinder(open: open)) {
      do throws(SystemError) { return .success(try UdevMonitor()) } catch { return .failure(error) }
    }
  }

  init(
    on loop: EventLoop, pool: BlockingPool, log: Logger, finder: PortFinder, makeSource: @escaping MakeSource
  ) {
    self.loop = loop
    self.pool = pool
    self.log = log
    self.finder = finder
    self.makeSource = makeSource
  }

  /// What a port is to open its line by.
  public nonisolated func opener(for port: String) -> SerialPort.Opener { finder.opener(for: port) }

  /// Tells this port from now on, in the place of an earlier one of its name. Does not keep it alive.
  public func watch(_ port: SerialPort) {
    members[port.name] = Member(port: port)
    guard !isStarted else { return }
    isStarted = true
    pool.submit { [weak self, loop, makeSource] in
      let result = makeSource()
      loop.execute { [weak self] in self?.assumeIsolated { $0.begin(result) } }
    }
  }

  /// Tells nothing any more.
  public func stop() {
    isStarted = true
    source = nil
    news = nil
    members = [:]
  }

  private func begin(_ result: Result<any DeviceNewsSource, SystemError>) {
    guard !members.isEmpty else { return }
    do throws(SystemError) {
      let news = try result.get()
      source = try IOSource(loop, descriptor: news.descriptor, events: .readable) { [weak self] _ in
        self?.assumeIsolated { $0.takeNews() }
      }
      self.news = news
      if !news.isUdev {
        log.notice(
          """
          no udevd runs here: what is plugged in is told by the kernel, without links in /dev/serial, if at all; \
          ports are looked for by timers as well
          """)
      }
      // What came between the ports' first look and now.
      lookAtAll()
    } catch { giveUp(error) }
  }

  private func giveUp(_ error: SystemError) {
    source = nil
    news = nil
    log.warning("nobody tells what is plugged in (\(error)); ports are looked for by timers alone")
  }

  // MARK: News

  private func takeNews() {
    var (hasAppeared, isLost) = (false, false)
    var removed: [String] = []
    taking: for _ in 0..<Self.newsLimit {
      guard let next = news?.next() else { return }
      switch next {
      case .appeared: hasAppeared = true
      case .removed(let directory): removed.append(directory)
      case .overflow: isLost = true
      case .nothing: break taking
      case .failed(let error):
        failures += 1
        if failures >= Self.failureLimit { return giveUp(error) }
        continue
      }
      failures = 0
    }
    if isLost { return lookAtAll() }
    for directory in removed { close(directory) }
    if hasAppeared || !removed.isEmpty { tellAll(hasAppeared: hasAppeared) }
  }

  /// Anything may have happened.
  private func lookAtAll() {
    for claim in finder.claims.all { if let directory = claim.directory { close(directory) } }
    tellAll(hasAppeared: true)
  }

  /// Closes the port whose device had this directory, if it is gone.
  private func close(_ directory: String) {
    // Told late, the device may be there again, and its port open: the same socket gives the same directory. A look at
    // the kernel's own tree waits for no device.
    guard !KernelTree.exists(directory) else { return }
    for claim in finder.claims.all where claim.directory == directory {
      members[claim.port]?.port?.assumeIsolated { $0.deviceRemoved() }
    }
  }

  private func tellAll(hasAppeared: Bool) {
    for (name, member) in members {
      guard let port = member.port else {
        members[name] = nil
        continue
      }
      port.assumeIsolated { $0.lookAgain(hasAppeared: hasAppeared) }
    }
  }
}
