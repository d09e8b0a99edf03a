internal import Telemetry

/// What `recovery.json` holds: the troubles about which something was done and which are not over.
///
/// ```json
/// {"format":1,"boot":"e2f0…","troubles":{"server":{"began_ms":8100,"round_began_ms":8100,"last_step_ms":1808100,
///  "last_reboot_ms":null,"earlier_ms":0,"rounds":0,"taken":1,"reboots":0,"steps":{"restart-modem":1}}}}
/// ```
struct LadderRecord: Sendable, Equatable {
  static let name = "recovery.json"
  /// The layout this code writes; a higher one is a later Baudgate's.
  static let format: Int64 = 1
  /// Bytes of the largest file that is read or written.
  static let sizeLimit = 256 << 10
  /// Troubles of the largest file.
  static let troubleLimit = 256

  /// Why bytes are no `recovery.json`.
  struct ParsingError: Error, Equatable, CustomStringConvertible {
    var description: String
    init(_ words: String) { description = words }
  }

  /// The boot whose clock the times are of; `nil` where the kernel did not tell.
  var boot: String?
  var troubles: [String: Trouble] = [:]

  init(boot: String? = nil) { self.boot = boot }

  /// As it stands in this boot, at this time of it.
  func carried(into boot: String?, at now: Duration) -> LadderRecord {
    var record = LadderRecord(boot: boot)
    let isSame = boot != nil && boot == self.boot
    // Without the kernel's word nothing is overdue: it may be this boot's record, or another's.
    let start = boot == nil || self.boot == nil ? now : .zero
    record.troubles = troubles.mapValues { (isSame ? $0 : $0.afterReboot(from: start)).bounded(by: now) }
    return record
  }
}

// MARK: - Reading
extension LadderRecord {
  init(parsing bytes: [UInt8]) throws(ParsingError) {
    guard bytes.count <= Self.sizeLimit else { throw ParsingError("it is longer than \(Self.sizeLimit) bytes") }
    let document: JSON
    do throws(JSONError) {
      document = try JSON(parsing: bytes, limits: JSONLimits(size: Self.sizeLimit, depth: 8))
    } catch { throw ParsingError("\(error)") }
    guard case .integer(let format)? = document["format"], format > 0 else { throw ParsingError("it has no format") }
    guard format == Self.format else { throw ParsingError("its format \(format) is a later Baudgate's") }
    guard case .object(let entries)? = document["troubles"], entries.count <= Self.troubleLimit else {
      throw ParsingError("it has no troubles")
    }
    if case .string(let boot)? = document["boot"] { self.boot = boot }
    for entry in entries {
      guard let trouble = Trouble(entry.value) else {
        throw ParsingError("its entry \(oneLine(entry.name)) is not whole")
      }
      troubles[entry.name] = trouble
    }
  }
}

extension Trouble {
  /// Milliseconds that are believed: a hundred years.
  private static let millisecondLimit: Int64 = 3_155_760_000_000

  fileprivate init?(_ json: JSON) {
    guard let began = Self.duration(json["began_ms"]), let round = Self.duration(json["round_began_ms"]),
      let earlier = Self.duration(json["earlier_ms"]), let rounds = Self.count(json["rounds"]),
      let taken = Self.count(json["taken"]), let reboots = Self.count(json["reboots"]),
      case .object(let steps)? = json["steps"], steps.count <= Self.tallyLimit
    else { return nil }
    self.init(at: began)
    roundBegan = round
    lastStep = Self.duration(json["last_step_ms"])
    lastReboot = Self.duration(json["last_reboot_ms"])
    self.earlier = earlier
    (self.rounds, self.taken, self.reboots) = (rounds, taken, reboots)
    for step in steps {
      guard let count = Self.count(step.value) else { return nil }
      tally.append(Tally(step: step.name, count: count))
    }
  }

  private static func duration(_ json: JSON?) -> Duration? {
    guard case .integer(let value)? = json, (0...millisecondLimit).contains(value) else { return nil }
    return .milliseconds(value)
  }

  private static func count(_ json: JSON?) -> Int? {
    guard case .integer(let value)? = json, (0...1_000_000).contains(value) else { return nil }
    return Int(value)
  }
}

// MARK: - Writing
extension LadderRecord {
  /// The file's bytes, a line end behind them.
  var bytes: [UInt8] {
    let entries = troubles.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value.json) }
    var bytes: [UInt8] = []
    JSON.object([
      .init("format", .integer(Self.format)), .init("boot", boot.map { .string($0) } ?? .null),
      .init("troubles", .object(entries)),
    ]).write(into: &bytes)
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }
}

extension Trouble {
  fileprivate var json: JSON {
    func milliseconds(_ duration: Duration?) -> JSON { duration.map { .integer($0.wholeMilliseconds) } ?? .null }
    return .object([
      .init("began_ms", milliseconds(began)), .init("round_began_ms", milliseconds(roundBegan)),
      .init("last_step_ms", milliseconds(lastStep)), .init("last_reboot_ms", milliseconds(lastReboot)),
      .init("earlier_ms", milliseconds(earlier)), .init("rounds", .integer(Int64(rounds))),
      .init("taken", .integer(Int64(taken))), .init("reboots", .integer(Int64(reboots))),
      .init("steps", .object(tally.map { .init($0.step, .integer(Int64($0.count))) })),
    ])
  }
}
