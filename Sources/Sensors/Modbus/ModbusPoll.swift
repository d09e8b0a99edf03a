internal import Telemetry

/// One Modbus sensor: its plan, and what the answers mean.
struct ModbusPoll: SensorPoll {
  private let settings: ModbusSettings
  private let registers: [ModbusRegister]
  /// One for each register.
  private let keys: [Key]
  /// The key of the whole reading with `report: json`.
  private let document: Key?
  private var plan: ModbusPlan
  /// The cycles in which a block that was refused is left alone.
  private let rest: Int

  private var cycle = 0
  /// The block that is asked next, or has been.
  private var index = 0
  private var hasAsked = false
  private var isOver = true
  private var values: [Value?]
  private var time: CaptureTime?
  private var faults: [DecodingFault] = []
  /// What the unit says it does not have, found out in this cycle, and why.
  private var absent: (names: [String], reasons: [ModbusException]) = ([], [])

  /// How long a register that the unit says it does not have is not asked for.
  static let refusalRest = Duration.seconds(600)

  init?(_ sensor: SensorOptions) {
    guard let settings = sensor.settings as? ModbusSettings else { return nil }
    self.settings = settings
    registers = settings.polled
    var keys: [Key] = []
    for register in registers {
      guard let key = try? sensor.naming.key(register.name) else { return nil }
      keys.append(key)
    }
    self.keys = keys
    document = sensor.report == .json ? sensor.keys?.first : nil
    plan = ModbusPlan(registers, maxGap: settings.maxGap, maxRegisters: settings.maxRegisters)
    values = Array(repeating: nil, count: registers.count)
    let interval = sensor.interval ?? SensorOptions.defaultInterval
    rest = max(1, Int(Self.refusalRest / interval))
  }

  // MARK: A cycle

  mutating func begin() {
    cycle &+= 1
    index = 0
    hasAsked = false
    isOver = false
    for place in values.indices { values[place] = nil }
    time = nil
    faults.removeAll(keepingCapacity: true)
  }

  mutating func next() -> BusRequest? {
    guard !isOver else { return nil }
    if hasAsked {
      // Nothing was said of the last question; it stands unanswered.
      hasAsked = false
      index += 1
    }
    while index < plan.blocks.count, !isDue(plan.blocks[index]) { index += 1 }
    guard index < plan.blocks.count else {
      isOver = true
      return nil
    }
    hasAsked = true
    return settings.request(plan.blocks[index].request)
  }

  private func isDue(_ block: ModbusPlan.Block) -> Bool {
    if let until = block.restsUntil, cycle < until { return false }
    return block.every <= 1 || (cycle &- 1) % block.every == 0
  }

  mutating func take(_ answer: Result<[UInt8], BusFailure>, at time: CaptureTime) {
    guard hasAsked, index < plan.blocks.count else { return }
    hasAsked = false
    let block = plan.blocks[index]
    switch answer {
    case .failure(let failure):
      // The rest of its registers would only cost the other units their time.
      isOver = true
      if failure.code == .timedOut { faults.append(DecodingFault(.unanswered, "\(block.place): \(failure.message)")) }
    case .success(let pdu):
      guard let answer = block.request.answer(pdu) else {
        faults.append(
          DecodingFault(.mismatch, "\(block.place): \(quoted(pdu, limit: 16)) is no answer to what was asked"))
        index += 1
        return
      }
      if case .exception(let exception) = answer {
        refused(block, exception)
      } else {
        self.time = time
        plan.rest(index, until: nil)
        read(block, answer)
        index += 1
      }
    }
  }

  private mutating func read(_ block: ModbusPlan.Block, _ answer: ModbusAnswer) {
    for member in block.members {
      let register = registers[member]
      do throws(RegisterMismatch) {
        values[member] = try register.value(in: answer, from: block.range.lowerBound)
      } catch {
        faults.append(DecodingFault(error.code, "\(register.name) (\(register.place)) \(error.message)"))
      }
    }
  }

  // MARK: Refusals

  /// What was read together is read in two from now on; what cannot be taken apart is left alone for a while.
  private mutating func refused(_ block: ModbusPlan.Block, _ exception: ModbusException) {
    if exception.isAboutRange, plan.split(index) { return }
    let names = listedNames(block)
    if exception.isAboutRange {
      // Told once: it is not the line, and asking again mends nothing.
      if block.restsUntil == nil {
        absent.names.append("\(names) (\(block.place))")
        if !absent.reasons.contains(exception) { absent.reasons.append(exception) }
      }
      plan.rest(index, until: cycle &+ rest)
    } else {
      faults.append(
        DecodingFault(
          .refused,
          "unit \(settings.unit) refuses \(names) (\(block.place)): \(exception); asked again at the next interval"))
    }
    index += 1
  }

  /// One for all: the log's rate would keep the second one back, and it is told but once.
  private var absence: DecodingFault? {
    if absent.names.isEmpty { return nil }
    let names = absent.names.prefix(Self.mostNames).joined(separator: ", ")
    let more = absent.names.count > Self.mostNames ? " and \(absent.names.count - Self.mostNames) more" : ""
    let reasons = absent.reasons.map(\.description).joined(separator: " and ")
    return DecodingFault(
      .refused,
      "unit \(settings.unit) refuses \(names)\(more): \(reasons); asked again in \(Self.refusalRest.components.seconds / 60) "
        + "minutes; check the address (from 0, as on the wire) and the table")
  }

  /// The most names in a message.
  private static let mostNames = 4

  private func listedNames(_ block: ModbusPlan.Block) -> String {
    let names = block.members.prefix(Self.mostNames).map { registers[$0].name }
    return names.joined(separator: ", ") + (block.members.count > names.count ? ", …" : "")
  }

  // MARK: What came of it

  mutating func finish(as sensor: Int, into output: inout DecoderOutput) {
    isOver = true
    if let absence { faults.append(absence) }
    absent = ([], [])
    let isFaultless = faults.isEmpty
    for fault in faults { output.faults.append((sensor, fault)) }
    faults.removeAll(keepingCapacity: true)
    var readings: [Reading] = []
    for (place, value) in values.enumerated() {
      if let value { readings.append(Reading(keys[place], value)) }
      values[place] = nil
    }
    // A unit that says of everything that it has no value, as an inverter does at night, answers all the same: a sample
    // without a reading keeps it from being stale.
    guard let time, !readings.isEmpty || isFaultless else { return }
    if let document, !readings.isEmpty {
      readings = [
        Reading(document, .json(.object(readings.map { JSON.Member($0.key.name, JSON($0.value)) })))
      ]
    }
    output.samples.append((sensor, Sample(time: time, readings: readings)))
  }
}
