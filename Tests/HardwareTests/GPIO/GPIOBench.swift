import EventLoop
import Foundation
import Logging
import Telemetry
import Testing

@testable import Hardware

/// Lines under test, with what they say and what they log. Lives on one loop.
final class GPIOBench: @unchecked Sendable {
  // @unchecked: all of it is used on the loop's thread alone, but for the log, which is locked.
  let loop: EventLoop
  let log = LogLines()
  // Its handler needs self, so the controller comes last.
  // swift-format-ignore: NeverUseImplicitlyUnwrappedOptionals
  private(set) var gpio: GPIOController!
  private(set) var events: [GPIOEvent] = []
  private var counted: [GPIOEdges] = []
  /// Of all lines that are counted, in order.
  var edges: [GPIOEdge] { counted.flatMap(\.edges) }
  func edgesOf(_ line: String) -> [GPIOEdge] { counted.filter { $0.line == line }.flatMap(\.edges) }
  private var waiting: (condition: () -> Bool, continuation: CheckedContinuation<Void, Never>)?

  /// Waits that a test can sit out.
  static let quick = {
    var timing = GPIOTiming()
    timing.first = .milliseconds(2)
    timing.most = .milliseconds(8)
    timing.mostWhileAbsent = .milliseconds(4)
    timing.accuracy = .microseconds(1)
    return timing
  }()

  init(
    _ loop: EventLoop, _ lines: [GPIOLineOptions], interlocks: [GPIOInterlock] = [],
    timing: GPIOTiming = GPIOBench.quick,
    request: @escaping GPIORequester = requestLine
  ) {
    self.loop = loop
    let log = log
    gpio = GPIOController(
      GPIOOptions(lines: lines, interlocks: interlocks), on: loop, pool: BlockingPool(name: "test", threads: 4),
      log: Logger(label: "test") { _ in log.handler }, timing: timing, request: request,
      edges: { [unowned self] in self.counted.append($0) }, handler: { [unowned self] in self.note($0) })
  }

  private func note(_ event: GPIOEvent) {
    #expect(loop.isOnLoop)
    events.append(event)
    check()
  }

  private func check() {
    guard let (condition, continuation) = waiting, condition() else { return }
    waiting = nil
    continuation.resume()
  }

  /// Waits, awake at every event, until a line has told of these values and no more.
  func until(_ line: String, says values: [Bool]) async {
    await withCheckedContinuation { continuation in
      waiting = ({ [unowned self] in said(line) == values }, continuation)
      // Here, not before: the loop may turn until the continuation is there.
      check()
    }
  }

  /// Waits for something the lines do not report.
  func poll(_ condition: @escaping (GPIOBench) async throws -> Bool) async throws {
    while try await !condition(self) { try await loop.sleep(for: .milliseconds(1), accuracy: .microseconds(1)) }
  }

  /// All values a line has told of.
  func said(_ line: String) -> [Bool] { events.filter { $0.line == line }.map(\.value) }

  /// What `set` reads back; `nil` when it fails.
  func set(_ line: String, to value: Bool) async -> Bool? { try? await gpio.set(line, to: value) }

  /// `nil` when it fails.
  func value(of line: String) async -> Bool? { try? await gpio.value(of: line) }

  /// The code with which a call fails.
  func failure(_ body: () async throws -> Void) async -> GPIOError.Code? {
    do {
      try await body()
      return nil
    } catch {
      return (error as? GPIOError)?.code
    }
  }
}

extension GPIOLineOptions {
  static func input(_ name: String, _ offset: UInt32, on chip: GPIOChipReference) -> GPIOLineOptions {
    GPIOLineOptions(name: name, chip: chip, offset: offset, direction: .input)
  }

  static func output(
    _ name: String, _ offset: UInt32, on chip: GPIOChipReference, initial: Bool = false, safe: Safe = .off
  ) -> GPIOLineOptions {
    var line = GPIOLineOptions(name: name, chip: chip, offset: offset, direction: .output)
    line.initial = initial
    line.safe = safe
    return line
  }
}

/// A simulated chip's directory, and the hand that sets its inputs. Gone with the test.
final class LineDirectory: Sendable {
  private let parent: String
  let path: String
  var chip: GPIOChipReference { .simulated(path) }

  /// - Parameter exists: Whether the chip's own directory is there already.
  init(exists: Bool = true) throws {
    parent = NSTemporaryDirectory() + "baudgate-" + UUID().uuidString
    path = parent + "/chip"
    try FileManager.default.createDirectory(atPath: exists ? path : parent, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: parent) }

  func file(_ offset: Int) -> String { "\(path)/line\(offset)" }

  /// What the file holds; `nil` without one.
  func contents(_ offset: Int) -> String? {
    FileManager.default.contents(atPath: file(offset)).map { String(decoding: $0, as: UTF8.self) }
  }

  func inode(_ offset: Int) throws -> UInt64 {
    var status = stat()
    try check("stat") { stat(file(offset), &status) }
    return UInt64(status.st_ino)
  }

  /// How a tool changes a file.
  enum Manner: String, CaseIterable, Sendable { case inPlace, truncating, renaming, recreating }

  func write(_ text: String, to offset: Int, _ manner: Manner = .inPlace) throws {
    switch manner {
    case .inPlace: try put(text, file(offset), O_CREAT)
    case .truncating: try put(text, file(offset), O_CREAT | O_TRUNC)
    case .renaming:
      try put(text, file(offset) + ".new", O_CREAT)
      try check("rename") { rename(file(offset) + ".new", file(offset)) }
    case .recreating:
      unlink(file(offset))
      try put(text, file(offset), O_CREAT)
    }
  }

  private func put(_ text: String, _ path: String, _ flags: CInt) throws {
    let descriptor = try check("open") { open(path, O_WRONLY | flags, 0o644) }
    defer { close(descriptor) }
    try check("pwrite") { pwrite(descriptor, text, text.utf8.count, 0) }
  }

  func remove() throws { try FileManager.default.removeItem(atPath: path) }
  func make() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

  func moveAway() throws { try check("rename") { rename(path, path + ".away") } }
  func moveBack() throws { try check("rename") { rename(path + ".away", path) } }
}
