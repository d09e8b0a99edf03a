import EventLoop
import Foundation
import Simulator
import Synchronization
import Telemetry
import Testing

@testable import ThingsBoard

/// Keeps what comes as a file would: truncated where a download begins anew.
final class MemoryReceiver: PackageReceiver {
  enum Failure: Error, Equatable { case full }

  struct State: Sendable {
    var bytes: [UInt8] = []
    var starts: [PackageStart] = []
    var room = Int.max
    var longest = 0
  }
  let state = Mutex(State())
  /// Done for each piece before it is taken: a slow disk.
  let pause: (@Sendable () async -> Void)?

  init(room: Int = .max, pause: (@Sendable () async -> Void)? = nil) {
    self.pause = pause
    state.withLock { $0.room = room }
  }

  func begin(_ start: PackageStart) async throws(Failure) {
    let fits = state.withLock { state in
      state.starts.append(start)
      state.bytes.removeLast(state.bytes.count - Int(start.offset))
      return start.total.map { $0 <= Int64(state.room) } ?? true
    }
    if !fits { throw .full }
  }

  func receive(_ bytes: [UInt8]) async throws(Failure) {
    await pause?()
    let fits = state.withLock { state in
      state.longest = max(state.longest, bytes.count)
      guard state.bytes.count + bytes.count <= state.room else { return false }
      state.bytes += bytes
      return true
    }
    if !fits { throw .full }
  }

  var bytes: [UInt8] { state.withLock { $0.bytes } }
  var starts: [PackageStart] { state.withLock { $0.starts } }
  var validator: String? { starts.last?.validator }
}

@Suite struct PackageDownloadTests {
  /// Not a whole number of blocks, windows or reads.
  static let content = ServedPackage.noise(1_234_567)
  static let limit: Int64 = 1 << 30
  static let thingsBoard = "http://127.0.0.1:1"

  /// What a fetch came to, without its generics.
  enum Answer: Sendable, Equatable {
    case done(Int64)
    case server(DeviceAPIError.Code, String)
    case receiver
    var code: DeviceAPIError.Code? { if case .server(let code, _) = self { code } else { nil } }
  }

  private static func fetch(
    _ download: PackageDownload, _ url: String, _ receiver: MemoryReceiver, limit: Int64 = Self.limit
  ) async -> Answer {
    do throws(DownloadFault<MemoryReceiver.Failure>) {
      return .done(
        try await download.fetch(
          Secret(url), from: Int64(receiver.bytes.count), validator: receiver.validator, limit: limit, to: receiver))
    } catch {
      switch error {
      case .server(let error): return .server(error.code, error.message)
      case .receiver: return .receiver
      }
    }
  }

  /// Runs `body` on a loop of its own, in front of the simulator's file server.
  private func withFiles(
    _ body: @escaping @Sendable (DeviceServer, PackageDownload) async throws -> Void
  ) async throws {
    let server = DeviceServer()
    try await server.start()
    let result: Result<Void, any Error> = await withCheckedContinuation { continuation in
      // A loop belongs to the thread that made it, and must not take one of the few that serve.
      Thread.detachNewThread {
        continuation.resume(
          returning: Result {
            let loop = try EventLoop()
            try loop.run {
              let options = ThingsBoard.ServerOptions(url: try ServerURL(Self.thingsBoard))
              try await body(server, PackageDownload(on: loop, server: options))
            }
          })
      }
    }
    await server.stop()
    try result.get()
  }

  private func withScript(
    _ script: [ScriptedServer.Reply], otherwise: ScriptedServer.Reply = .status(599), slowest: SlowestPace? = nil,
    _ body: @escaping @Sendable (ScriptedServer, PackageDownload) async throws -> Void
  ) throws {
    let server = ScriptedServer(script, otherwise: otherwise)
    defer { server.stop() }
    let loop = try EventLoop()
    try loop.run {
      let options = ThingsBoard.ServerOptions(url: try ServerURL(Self.thingsBoard))
      try await body(
        server, PackageDownload(on: loop, server: options, slowest: slowest ?? PackageDownload.slowest))
    }
  }

  // MARK: Whole files

  @Test func aFileComesWhole() async throws {
    try await withFiles { server, download in
      server.offer(ServedFile(Self.content), as: "f")
      let receiver = MemoryReceiver()
      #expect(await Self.fetch(download, server.packageURL("f"), receiver) == .done(1_234_567))
      #expect(receiver.bytes == Self.content)
      #expect(receiver.starts.map(\.total) == [1_234_567])
      #expect(receiver.validator?.hasPrefix("\"") == true)
      #expect(receiver.state.withLock { $0.longest } <= PackageDownload.longestPiece + (64 << 10))
      #expect(await download.traffic().requests == 1)
    }
  }

  /// A receiver slower than the server is waited for.
  @Test func aSlowReceiverIsWaitedFor() async throws {
    try await withFiles { server, download in
      server.offer(ServedFile(Self.content), as: "f")
      let receiver = MemoryReceiver(pause: { for _ in 0..<200 { await Task.yield() } })
      #expect(await Self.fetch(download, server.packageURL("f"), receiver) == .done(1_234_567))
      #expect(receiver.bytes == Self.content)
      #expect(receiver.state.withLock { $0.longest } <= PackageDownload.longestPiece + (64 << 10))
    }
  }

  @Test func anEmptyFileIsOne() async throws {
    try await withFiles { server, download in
      server.offer(ServedFile([]), as: "f")
      let receiver = MemoryReceiver()
      #expect(await Self.fetch(download, server.packageURL("f"), receiver) == .done(0))
      #expect(receiver.starts.map(\.offset) == [0])
    }
  }

  @Test func whatTheReceiverThrowsEndsIt() async throws {
    try await withFiles { server, download in
      server.offer(ServedFile(Self.content), as: "f")
      // Told before the first byte, since the size is known.
      let full = MemoryReceiver(room: 1000)
      #expect(await Self.fetch(download, server.packageURL("f"), full) == .receiver)
      #expect(full.bytes.isEmpty)
    }
  }

  // MARK: Resuming

  /// Cut in the middle of each answer, `times` times.
  @Test(arguments: [false, true]) func aDownloadGoesOnWhereItEnded(reset: Bool) async throws {
    try await withFiles { server, download in
      server.offer(ServedFile(Self.content), as: "f")
      let receiver = MemoryReceiver()
      server.setFault(.cutBody(reset: reset), requests: 4, scope: .packages)
      for _ in 0..<4 { #expect(await Self.fetch(download, server.packageURL("f"), receiver).code == .unreachable) }
      #expect(await Self.fetch(download, server.packageURL("f"), receiver) == .done(1_234_567))
      #expect(receiver.bytes == Self.content)
      let offsets = receiver.starts.map(\.offset)
      #expect(offsets == offsets.sorted())
      if !reset { #expect(Set(offsets).count > 1) }
      // Nothing is missing: nothing comes again.
      #expect(await Self.fetch(download, server.packageURL("f"), receiver) == .done(1_234_567))
      #expect(receiver.starts.last?.offset == 1_234_567)
    }
  }

  struct FlawRow: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var flaw: ServedFile.RangeFlaw?
    var hasValidator = true
    var isChanged = false
    /// Offsets of the two starts.
    var goesOn = false
    init(
      _ text: String, _ flaw: ServedFile.RangeFlaw?, hasValidator: Bool = true, isChanged: Bool = false,
      goesOn: Bool = false
    ) {
      testDescription = text
      self.flaw = flaw
      self.hasValidator = hasValidator
      self.isChanged = isChanged
      self.goesOn = goesOn
    }
  }

  static let flaws = [
    FlawRow("an honest server continues", nil, goesOn: true),
    FlawRow("without ranges it begins anew", .ignored),
    FlawRow("a part that begins early", .shifted(-7)), FlawRow("a part that begins late", .shifted(7)),
    FlawRow("a part called another one", .misnamed("bytes 0-5/1234567")),
    FlawRow("a Content-Range that is none", .misnamed("garbage")),
    FlawRow("a Content-Range without a start", .misnamed("bytes */5")),
    FlawRow("without a validator it begins anew", nil, hasValidator: false),
    FlawRow("a changed file begins anew", nil, isChanged: true),
    FlawRow("a changed file, though the server does not look", .blind, isChanged: true),
  ]

  @Test(arguments: flaws) func resuming(_ row: FlawRow) async throws {
    try await withFiles { server, download in
      var file = ServedFile(Self.content)
      if !row.hasValidator { file.etag = nil }
      server.offer(file, as: "f")
      let receiver = MemoryReceiver()
      server.setFault(.cutBody(), requests: 1, scope: .packages)
      #expect(await Self.fetch(download, server.packageURL("f"), receiver).code == .unreachable)
      let had = Int64(receiver.bytes.count)
      #expect(had > 0)
      let expected = row.isChanged ? ServedPackage.noise(1_000_001, seed: 9) : Self.content
      if row.isChanged { file = ServedFile(expected) }
      file.flaw = row.flaw
      server.offer(file, as: "f")
      #expect(await Self.fetch(download, server.packageURL("f"), receiver) == .done(Int64(expected.count)))
      #expect(receiver.bytes == expected)
      #expect(receiver.starts.last?.offset == (row.goesOn ? had : 0))
    }
  }

  @Test func aFileThatHasBecomeShorterBeginsAnew() async throws {
    try await withFiles { server, download in
      var file = ServedFile(Self.content)
      file.etag = "\"same\""
      server.offer(file, as: "f")
      let receiver = MemoryReceiver()
      server.setFault(.cutBody(), requests: 1, scope: .packages)
      _ = await Self.fetch(download, server.packageURL("f"), receiver)
      file.content = [1, 2, 3]
      server.offer(file, as: "f")
      #expect(await Self.fetch(download, server.packageURL("f"), receiver) == .done(3))
      #expect(receiver.bytes == [1, 2, 3])
    }
  }

  // MARK: Lengths

  @Test func anAnswerWithoutALengthEndsWithTheConnection() throws {
    try withScript([.bytesThenClose("HTTP/1.1 200 OK\r\n\r\nabc")]) { server, download in
      let receiver = MemoryReceiver()
      #expect(await Self.fetch(download, server.url, receiver) == .done(3))
      #expect(receiver.starts == [PackageStart(offset: 0)])
    }
  }

  @Test func lessThanAnnouncedIsNoEnd() throws {
    try withScript([.bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nETag: \"e\"\r\n\r\nabc")]) {
      server, download in
      let receiver = MemoryReceiver()
      #expect(await Self.fetch(download, server.url, receiver).code == .unreachable)
      #expect(receiver.bytes == Array("abc".utf8))
    }
  }

  @Test func moreThanAPartAnnouncesIsRefused() throws {
    try withScript([
      .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nETag: \"e\"\r\n\r\nabc"),
      .bytesThenClose("HTTP/1.1 206 Part\r\nContent-Range: bytes 3-8/9\r\nETag: \"e\"\r\n\r\ndefghijkl"),
    ]) { server, download in
      let receiver = MemoryReceiver()
      _ = await Self.fetch(download, server.url, receiver)
      #expect(await Self.fetch(download, server.url, receiver).code == .serverError)
      #expect(receiver.bytes.count <= 9)
    }
  }

  @Test func aLargerFileThanMayBeIsNotBegun() throws {
    try withScript([.status(200, body: String(repeating: "a", count: 100))]) { server, download in
      let receiver = MemoryReceiver()
      #expect(await Self.fetch(download, server.url, receiver, limit: 99).code == .tooLarge)
      #expect(receiver.starts.isEmpty)
    }
  }

  @Test func anUnannouncedSizeIsLimitedWhileItComes() throws {
    try withScript([.bytesThenClose("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "a", count: 100))]) {
      server, download in
      let receiver = MemoryReceiver()
      #expect(await Self.fetch(download, server.url, receiver, limit: 99).code == .tooLarge)
      #expect(receiver.bytes.count <= 99)
    }
  }

  // MARK: Redirects and refusals

  @Test func redirectsAreFollowed() async throws {
    try await withFiles { server, download in
      for (name, target) in [("a", "b"), ("b", "/packages/c"), ("c", "//127.0.0.1:\(server.port ?? 0)/packages/f")] {
        var file = ServedFile([])
        file.redirect = target
        server.offer(file, as: name)
      }
      server.offer(ServedFile(Self.content), as: "f")
      let receiver = MemoryReceiver()
      #expect(await Self.fetch(download, server.packageURL("a"), receiver) == .done(1_234_567))
      #expect(receiver.bytes == Self.content)
    }
  }

  @Test(arguments: ["file:///etc/passwd", "ftp://h/f", "http://", "javascript:1"]) func otherTargetsAreNot(
    _ target: String
  ) throws {
    try withScript([.status(302, body: "", headers: ["Location: \(target)"])]) { server, download in
      #expect(await Self.fetch(download, server.url, MemoryReceiver()).code == .redirected)
    }
  }

  @Test func aCircleEnds() throws {
    try withScript([], otherwise: .status(301, body: "", headers: ["Location: /x"])) { server, download in
      #expect(await Self.fetch(download, server.url, MemoryReceiver()).code == .redirected)
      #expect(server.requests.count == PackageDownload.mostRedirects + 1)
    }
  }

  @Test func neverFromHTTPSToHTTP() throws {
    let address = try #require(PackageAddress("https://h/f"))
    var trip = DownloadTrip(address: address, offset: 0, validator: nil, limit: 1, mask: Mask([]))
    #expect(throws: DeviceAPIError.self) { try trip.follow("http://h/f") }
    try trip.follow("g?x=1")
    #expect(trip.address.url.reveal() == "https://h/g?x=1")
    try trip.follow("https://other.example:8443/")
    #expect(trip.address.host == "other.example" && trip.address.port == "8443")
  }

  @Test(arguments: [
    (400, DeviceAPIError.Code.poison), (401, .unauthorized), (403, .unauthorized), (404, .notFound), (410, .notFound),
    (408, .unavailable), (429, .unavailable), (416, .poison), (500, .serverError), (503, .unavailable),
    (204, .serverError),
    (206, .serverError), (302, .redirected),
  ]) func whatAStatusMeans(_ status: Int, _ code: DeviceAPIError.Code) throws {
    try withScript([.status(status)]) { server, download in
      let receiver = MemoryReceiver()
      #expect(await Self.fetch(download, server.url, receiver).code == code)
      #expect(receiver.starts.isEmpty)
    }
  }

  @Test func aLoginPageIsNoPackage() throws {
    try withScript([.status(200, body: "<html>", headers: ["Content-Type: text/html"])]) { server, download in
      #expect(await Self.fetch(download, server.url, MemoryReceiver()).code == .notThingsBoard)
    }
  }

  @Test(arguments: [
    "", "h/f", "ftp://h/f", "http://h/\u{7}", "https://" + String(repeating: "a", count: 9000),
  ])
  func whatIsNoURLIsNotAsked(_ url: String) throws {
    try withScript([]) { _, download in
      #expect(await Self.fetch(download, url, MemoryReceiver()).code == .poison)
    }
  }

  // MARK: Trouble

  @Test func aServerThatIsDownForAWhileIsMetAgain() throws {
    let content = ServerScript.ok(body: "abcdef")
    try withScript([.reset, .status(503), .bytesThenClose("garbage\r\n\r\n"), .bytes(content)]) { server, download in
      let receiver = MemoryReceiver()
      var answers: [Answer] = []
      for _ in 0..<4 { answers.append(await Self.fetch(download, server.url, receiver)) }
      #expect(answers.map(\.code) == [.unreachable, .unavailable, .unreachable, nil])
      #expect(receiver.bytes == Array("abcdef".utf8))
    }
  }

  /// The time limit is of libcurl's: whole seconds, one at least.
  @Test func aServerThatStallsIsGivenUp() throws {
    let pace = SlowestPace(rate: 10, patience: .seconds(1))
    try withScript([.hang], slowest: pace) { server, download in
      let answer = await Self.fetch(download, server.url, MemoryReceiver())
      #expect(answer.code == .unreachable)
    }
  }

  @Test func cancellingEndsIt() throws {
    try withScript([.hang]) { server, download in
      let url = server.url
      let task = Task { await Self.fetch(download, url, MemoryReceiver()) }
      while server.requests.isEmpty { await Task.yield() }
      task.cancel()
      #expect(await task.value.code == .cancelled)
    }
  }

  @Test func theRequestAsksForAFile() throws {
    try withScript([.bytes(ServerScript.ok(body: "a"))]) { server, download in
      _ = await Self.fetch(download, server.url + "/f", MemoryReceiver())
      let head = try #require(server.requests.first).head
      #expect(head.hasPrefix("GET /f HTTP/1.1\r\n"))
      #expect(head.contains("Accept: application/octet-stream"))
      #expect(!head.contains("Range"))
    }
  }

  @Test(arguments: [0, 404, 500, 302]) func noMessageHoldsThePassword(_ status: Int) throws {
    let reply =
      status == 0 ? ScriptedServer.Reply.reset : .status(status, body: "hunter2", headers: ["Location: ftp://hunter2/"])
    try withScript([], otherwise: reply) { server, download in
      let url = "http://user:hunter2@127.0.0.1:\(server.port)/hunter2?sig=hunter2"
      guard case .server(_, let message) = await Self.fetch(download, url, MemoryReceiver()) else {
        Issue.record("expected a refusal")
        return
      }
      #expect(!message.contains("hunter2"), "\(message)")
    }
  }

  // MARK: Parts

  @Test(
    arguments: [
      ("bytes 0-4/5", 0, 4, 5), ("bytes 3-3/*", 3, 3, nil), ("bytes */7", nil, nil, 7), ("BYTES  1-2/3", 1, 2, 3),
    ] as [(String, Int64?, Int64?, Int64?)]) func contentRanges(
      _ text: String, _ first: Int64?, _ last: Int64?, _ total: Int64?
    )
  {
    let range = ContentRange(text)
    #expect(range?.first == first && range?.last == last && range?.total == total)
    #expect(range != nil)
  }

  @Test(arguments: [
    "", "bytes", "bytes 0-4", "bytes 4-0/5", "bytes 0-5/5", "bytes -1-4/5", "bytes +0-4/5", "lines 0-4/5",
    "bytes 0-4/5/6",
    "bytes 0-99999999999999999999/*", "bytes 0-4/x",
  ]) func othersAreNone(_ text: String) { #expect(ContentRange(text) == nil) }

  @Test func validatorsAreStrong() {
    #expect(FileHeaders(etag: "\"a\"").validator == "\"a\"")
    #expect(FileHeaders(etag: "W/\"a\"").validator == nil)
    #expect(FileHeaders(etag: "\"\r\n\"").validator == nil)
    let day = "Wed, 21 Oct 2015 07:28:00 GMT"
    #expect(FileHeaders(lastModified: day, date: "Wed, 21 Oct 2015 07:28:01 GMT").validator == day)
    #expect(FileHeaders(lastModified: day, date: day).validator == nil)
    #expect(FileHeaders(lastModified: day).validator == nil)
  }
}

enum ServerScript {
  static func ok(body: String) -> String { "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)" }
}
