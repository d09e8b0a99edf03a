internal import EventLoop
internal import Telemetry
internal import ThingsBoard

/// From an assignment to a verified file.
extension UpdateStateMachine {
  mutating func handleDownload(
    _ event: Event, at now: Duration, using generator: inout some RandomNumberGenerator
  ) {
    switch (state, event) {
    case (.preparing, .prepared(let length)):
      if isRoomTold {
        isRoomTold = false
        tell(.state(.downloading, error: ""))
      }
      // A shorter file than the record knows: what is missing is fetched, from the part it begins in.
      position = length - length % Int64(max(1, record.chunkSize))
      if position < record.bytes { record.bytes = position }
      trouble = nil
      enter(isWhole ? .synchronizing(isLast: true) : .fetching)
    case (.preparing, .noRoom(let needed, let space)), (.appending, .noRoom(let needed, let space)):
      lackRoom(needed, space)
    case (.fetching, .arrived(let count, let total, let validator)):
      record.validator = validator.flatMap { $0.utf8.count <= UpdatePackage.textLimit ? $0 : nil }
      judge(count, total, using: &generator)
    case (.fetching, .begunAnew):
      line(.info, "the source of \(package.name) does not go on at byte \(position); the download begins anew")
      (record.bytes, record.validator) = (0, nil)
      // Written down first: the file is about to be shorter than the record says.
      enter(.saving(then: .preparing))
    case (.fetching, .fetchFailed(let error)): fetchFailed(error, using: &generator)
    case (.appending(let count, let isLast), .appended):
      position += Int64(count)
      (oddParts, refusals, trouble) = (0, 0, nil)
      pace.succeeded()
      progress(at: now)
      let isOver = isLast || isWhole
      if isOver || position - record.bytes >= settings.timing.checkpoint {
        enter(.synchronizing(isLast: isOver))
      } else {
        enter(.fetching)
      }
    case (.synchronizing(let isLast), .synchronized(let length)):
      // Shorter than what was written: somebody has been at the file.
      guard length >= position else { return enter(.preparing) }
      record.bytes = position
      guard isLast else { return enter(.saving(then: .fetching)) }
      record.phase = .downloaded
      record.size = position
      tell(.state(.downloaded, error: nil))
      line(.info, "\(package.name) is downloaded, \(position) bytes")
      enter(.saving(then: .verifying))
    case (.verifying, .verified):
      record.phase = .verified
      tell(.state(.verified, error: nil))
      line(.info, "\(package.name) is verified")
      enter(.saving(then: .readingOld))
    case (.verifying, .objected(.refused(let words))): fail(words)
    case (.verifying, .objected(.damaged(let words))): damaged(words)
    case (.rereading(let words), .attributesRead):
      refusals += 1
      if refusals >= UpdateTiming.refusalLimit {
        return fail("\(words), though it is assigned; asked \(refusals) times")
      }
      rest(for: pace.next(needsPerson: true, using: &generator), words, cause: "refused", before: .fetching)
    case (.rereading, .fetchFailed(let error)): rest(after: error, before: .fetching, using: &generator)
    default: return
    }
  }

  private var isWhole: Bool { size.map { position >= $0 } ?? false }

  /// Whether the part has the length it should have.
  private mutating func judge(
    _ count: Int, _ total: Int64?, using generator: inout some RandomNumberGenerator
  ) {
    let source = package.urlMark == nil ? "the server" : "the package's URL"
    if let total {
      if let size = package.size, total != size {
        return odd("\(source) has \(total) bytes, and \(size) are assigned", using: &generator)
      }
      if total < 1 { return fail("\(source) has an empty file") }
      if total > settings.maxSize { return failTooLarge(total) }
      if package.size == nil, record.size != total {
        // Now that it is known, there has to be room for it.
        record.size = total
        record.bytes = min(record.bytes, position)
        return enter(.preparing)
      }
    }
    let limit = Int64(record.chunkSize)
    let part = position / max(1, limit)
    guard let size else {
      if count > record.chunkSize { return odd("part \(part) is longer than \(limit) bytes", using: &generator) }
      if position + Int64(count) > settings.maxSize { return failTooLarge(position + Int64(count)) }
      if count == 0 && position == 0 { return fail("\(source) has an empty file") }
      return enter(
        count == 0 ? .synchronizing(isLast: true) : .appending(count: count, isLast: count < record.chunkSize))
    }
    let expected = min(limit, size - position)
    guard Int64(count) == expected else {
      let found = count > record.chunkSize ? "more than \(limit)" : "\(count)"
      return odd(
        "part \(part) from \(source) has \(found) bytes where \(expected) belong in a package of \(size)",
        using: &generator)
    }
    enter(.appending(count: count, isLast: position + expected >= size))
  }

  private mutating func odd(_ words: String, using generator: inout some RandomNumberGenerator) {
    oddParts += 1
    if oddParts >= UpdateTiming.oddPartLimit {
      return fail("\(words), \(oddParts) times in a row; upload the package again")
    }
    rest(for: pace.next(needsPerson: false, using: &generator), words, cause: "part", before: .fetching)
  }

  private mutating func failTooLarge(_ bytes: Int64) {
    fail("the package has \(bytes) bytes or more, and ota.\(settings.kind.rawValue).max_size is \(settings.maxSize)")
  }

  private mutating func fetchFailed(
    _ error: DeviceAPIError, using generator: inout some RandomNumberGenerator
  ) {
    switch error.code {
    case .poison, .notFound: enter(.rereading("the server \(error.message)"))
    case .unsupported: fail("the server \(error.message)")
    case .tooLarge: odd("the server \(error.message)", using: &generator)
    case .serverError, .unavailable, .unreachable, .unauthorized, .deviceDeleted, .redirected, .notThingsBoard,
      .certificate, .noAnswer, .cancelled:
      rest(after: error, before: .fetching, using: &generator)
    }
  }

  private mutating func rest(
    after error: DeviceAPIError, before next: State, using generator: inout some RandomNumberGenerator
  ) {
    let delay = pace.next(after: error, using: &generator)
    rest(
      for: delay, "the download of \(package.name) pauses at byte \(position): \(error.message)",
      cause: "\(error.code)",
      before: next)
  }

  private mutating func lackRoom(_ needed: Int64, _ space: PackageFile.Space) {
    let mebibytes = { (bytes: Int64) in "\(bytes >> 20) MiB" }
    if needed > space.capacity {
      return fail(
        """
        the package needs \(mebibytes(needed)) of the state directory's disk, \
        \(mebibytes(PackageFile.reserve)) in reserve included, which has \(mebibytes(space.capacity)) in all
        """)
    }
    let words = """
      the package needs \(mebibytes(needed)) more on the state directory's disk, \
      \(mebibytes(PackageFile.reserve)) in reserve included, and \(mebibytes(space.free)) are free; make room
      """
    if !isRoomTold {
      isRoomTold = true
      tell(.state(.downloading, error: words))
    }
    // What was written since the last checkpoint is fetched again: it may be half a part.
    rest(for: settings.timing.room, words, cause: "room", before: .preparing)
  }

  private mutating func damaged(_ words: String) {
    guard record.attempt < UpdateTiming.attemptLimit else {
      return fail("\(words), after \(record.attempt) downloads; upload the package again")
    }
    record.attempt += 1
    record.phase = .downloading
    (record.bytes, record.validator) = (0, nil)
    position = 0
    let attempt = "download \(record.attempt) of \(UpdateTiming.attemptLimit)"
    line(.warning, "\(package.name): \(words); \(attempt) begins")
    tell(.state(.downloading, error: "\(words); \(attempt)"))
    enter(.saving(then: .preparing))
  }

  private mutating func progress(at now: Duration) {
    guard let size, tenth > progressTold.tenth, position < size else { return }
    if let last = progressTold.at, now - last < settings.timing.progress { return }
    progressTold = (tenth, now)
    line(.info, "\(package.name): \(tenth * 10) % of \(size) bytes are downloaded")
  }
}
