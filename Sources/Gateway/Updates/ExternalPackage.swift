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
  private var writer: CheckedContinuation<Void, Never>?

  /// - Parameter limit: Bytes of the largest package that is taken.
  init(on loop: EventLoop, url: Secret, limit: Int64, fetch: @escaping Fetch) {
    self.loop = loop
    self.url = url
    self.limit = limit
    self.fetch = fetch
  }

  deinit { download?.cancel() }

  // MARK: PackageSource

  func part(at offset: Int64, atMost limit: Int, validator: String?) async throws(DeviceAPIError) -> PackagePart {
    if download == nil || position != offset { begin(at: offset, validator) }
    wanted = limit
    resumeWriter()
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
    resumeWriter()
    return PackagePart(bytes: part, total: total, validator: self.validator)
  }

  // MARK: The download

  private func begin(at offset: Int64, _ validator: String?) {
    drop()
    position = offset
    let intake = Intake(package: self, round: round)
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
    resumeWriter()
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

  private func received(_ piece: [UInt8], _ round: Int) async {
    guard round == self.round else { return }
    bytes += piece
    if bytes.count >= wanted { resumeReader() }
    while round == self.round, bytes.count >= wanted, !Task.isCancelled {
      await withTaskCancellationHandler {
        await withCheckedContinuation { writer = $0 }
      } onCancel: {
        loop.execute { self.assumeIsolated { $0.resumeWriter() } }
      }
    }
  }

  private func resumeReader() {
    let continuation = reader
    reader = nil
    continuation?.resume()
  }

  private func resumeWriter() {
    let continuation = writer
    writer = nil
    continuation?.resume()
  }

  /// Takes a download's bytes.
  struct Intake: PackageReceiver {
    fileprivate weak var package: ExternalPackage?
    fileprivate let round: Int

    func begin(_ start: PackageStart) async throws(Never) { await package?.started(start, round) }
    func receive(_ bytes: [UInt8]) async throws(Never) { await package?.received(bytes, round) }
  }
}
