internal import EventLoop
internal import ThingsBoard

/// A package behind a URL, in parts: one download that stands still while nobody asks for the next part.
///
/// Holds one part and one piece of the download at most.
actor ExternalPackage: PackageSource {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let loop: EventLoop
  private let url: Secret
  private let limit: Int64
  private let fetch: Fetch

  /// One attempt to download from an offset on; `PackageDownload.fetch` in earnest.
  typealias Fetch =
    @Sendable (Secret, Int64, String?, Int64, ExternalPackage.Intake) async throws(DownloadFault<Never>)
    -> Int64

  private var download: Task<Void, Never>?
  /// Tells a download from those it has replaced.
  private var round = 0
  /// Where `bytes` begin.
  private var position: Int64 = 0
  private var bytes: [UInt8] = []
  private var wanted = 0
  private var total: Int64?
  private var validator: String?
  private var isAnew = false
  private var end: Result<Int64, DeviceAPIError>?
  private var reader: CheckedContinuation<Void, Never>?
  /// Where the download under way stands still while nobody wants more of it.
  private var gate: Gate

  /// - Parameter limit: Bytes of the largest package that is taken.
  init(on loop: EventLoop, url: Secret, limit: Int64, fetch: @escaping Fetch) {
    self.loop = loop
    self.url = url
    self.limit = limit
    self.fetch = fetch
    gate = Gate(on: loop)
  }

  deinit { download?.cancel() }

  // MARK: PackageSource

  func part(at offset: Int64, atMost limit: Int, validator: String?) async throws(DeviceAPIError) -> PackagePart {
    if download == nil || position != offset { begin(at: offset, validator) }
    wanted = limit
    turnGate()
    await withTaskCancellationHandler {
      while bytes.count < limit, end == nil, !isAnew, !Task.isCancelled {
        await withCheckedContinuation { reader = $0 }
      }
    } onCancel: {
      loop.execute { self.assumeIsolated { $0.resumeReader() } }
    }
    if Task.isCancelled {
      drop()
      throw DeviceAPIError(.cancelled, "was not asked any further")
    }
    if isAnew {
      isAnew = false
      return PackagePart(bytes: [], total: total, validator: self.validator, isAnew: true)
    }
    if case .failure(let error) = end, bytes.count < limit {
      drop()
      throw error
    }
    let part = Array(bytes.prefix(limit))
    bytes.removeFirst(part.count)
    position += Int64(part.count)
    turnGate()
    return PackagePart(bytes: part, total: total, validator: self.validator)
  }

  // MARK: The download

  private func begin(at offset: Int64, _ validator: String?) {
    drop()
    position = offset
    let intake = Intake(package: self, gate: gate, round: round)
    let (url, limit, fetch) = (url, limit, fetch)
    download = Task(executorPreference: loop) { [weak self, round] in
      let result: Result<Int64, DeviceAPIError>
      do throws(DownloadFault<Never>) {
        result = .success(try await fetch(url, offset, validator, limit, intake))
      } catch {
        switch error {
        case .server(let error): result = .failure(error)
        }
      }
      await self?.ended(result, round)
    }
  }

  private func drop() {
    round += 1
    download?.cancel()
    download = nil
    bytes = []
    (total, validator, end) = (nil, nil, nil)
    isAnew = false
    gate.assumeIsolated { $0.turn(isOpen: true) }
    gate = Gate(on: loop)
  }

  private func ended(_ result: Result<Int64, DeviceAPIError>, _ round: Int) {
    guard round == self.round else { return }
    end = result
    resumeReader()
  }

  private func started(_ start: PackageStart, _ round: Int) {
    guard round == self.round else { return }
    (total, validator) = (start.total, start.validator)
    guard start.offset != position else { return }
    // What is there already is of another file, or cannot be continued.
    position = start.offset
    isAnew = true
    resumeReader()
  }

  private func received(_ piece: [UInt8], _ round: Int) {
    guard round == self.round else { return }
    bytes += piece
    if bytes.count >= wanted { resumeReader() }
    turnGate()
  }

  private func turnGate() {
    let isOpen = bytes.count < wanted
    gate.assumeIsolated { $0.turn(isOpen: isOpen) }
  }

  private func resumeReader() {
    let continuation = reader
    reader = nil
    continuation?.resume()
  }

  /// Takes a download's bytes.
  struct Intake: PackageReceiver {
    fileprivate weak var package: ExternalPackage?
    fileprivate let gate: Gate
    fileprivate let round: Int

    func begin(_ start: PackageStart) async throws(Never) { await package?.started(start, round) }
    func receive(_ bytes: [UInt8]) async throws(Never) {
      await package?.received(bytes, round)
      // Without holding the package: one that is given up ends its download.
      await gate.pass()
    }
  }

  /// Holds a download up.
  fileprivate actor Gate {
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let loop: EventLoop
    private var isOpen = true
    private var waiter: CheckedContinuation<Void, Never>?

    init(on loop: EventLoop) { self.loop = loop }

    func turn(isOpen: Bool) {
      self.isOpen = isOpen
      if isOpen { wake() }
    }

    /// Returns when the gate is open, or the task cancelled.
    func pass() async {
      while !isOpen, !Task.isCancelled {
        await withTaskCancellationHandler {
          await withCheckedContinuation { waiter = $0 }
        } onCancel: {
          loop.execute { self.assumeIsolated { $0.wake() } }
        }
      }
    }

    private func wake() {
      let continuation = waiter
      waiter = nil
      continuation?.resume()
    }
  }
}
