internal import Telemetry

/// Reads one register on command.
struct ModbusReading: RegisterExchange {
  private let register: ModbusRegister
  private let settings: ModbusSettings
  private var hasAsked = false
  private(set) var value = JSON.null

  init(_ register: ModbusRegister, settings: ModbusSettings) {
    self.register = register
    self.settings = settings
  }

  mutating func next() -> BusRequest? {
    guard !hasAsked else { return nil }
    hasAsked = true
    return settings.request(register.readRequest)
  }

  mutating func take(_ answer: [UInt8]) throws(RegisterError) {
    value = try register.json(in: answer, to: register.readRequest, of: settings.unit)
  }
}

/// Writes one register on command.
///
/// A part of a register is written with function 22 where `write: 22` says that the unit knows it, which changes no other
/// bit. Else the register is read and written back: what somebody else changes in between is lost.
struct ModbusWriting: RegisterExchange {
  private enum Stage {
    case beforeReading
    case reading
    case beforeWriting([UInt16])
    case writing(ModbusRequest)
    case over
  }

  private let register: ModbusRegister
  private let settings: ModbusSettings
  private let words: [UInt16]
  private var stage: Stage
  private(set) var value: JSON

  /// - Throws: `RegisterError`: `.badValue`, and `.notWritable` for what everybody cannot be told.
  init(_ register: ModbusRegister, _ value: JSON, settings: ModbusSettings) throws(RegisterError) {
    self.register = register
    self.settings = settings
    (words, self.value) = try register.encoded(value)
    let readsFirst = register.content.isPart && register.writeFunction != 22
    if settings.isBroadcast, readsFirst || register.writeFunction == 23 {
      throw RegisterError(
        .notWritable,
        "\(register.name) would have to be read, and unit 0, everybody, does not answer; "
          + (register.content.isPart ? "write: 22 changes a part without reading" : "choose write: 16"))
    }
    stage = readsFirst ? .beforeReading : .beforeWriting(words)
  }

  mutating func next() -> BusRequest? {
    switch stage {
    case .beforeReading:
      stage = .reading
      return settings.request(register.readRequest)
    case .beforeWriting(let words):
      let request = request(words)
      // Nobody answers a broadcast.
      stage = settings.isBroadcast ? .over : .writing(request)
      return settings.request(request)
    case .reading, .writing, .over: return nil
    }
  }

  mutating func take(_ answer: [UInt8]) throws(RegisterError) {
    switch stage {
    case .reading:
      stage = .over
      let found = try register.answer(answer, to: register.readRequest, of: settings.unit)
      guard case .words(let found) = found, let old = found.first, let new = words.first else { return }
      let mask = register.order.sorted([register.content.mask]).first ?? 0
      stage = .beforeWriting([old & ~mask | new & mask])
    case .writing(let request):
      stage = .over
      guard case .writeAndRead = request else {
        _ = try register.answer(answer, to: request, of: settings.unit)
        return
      }
      value = try register.json(in: answer, to: request, of: settings.unit)
    case .beforeReading, .beforeWriting, .over: return
    }
  }

  private func request(_ words: [UInt16]) -> ModbusRequest {
    let address = UInt16(clamping: register.address)
    let first = words.first ?? 0
    switch register.writeFunction {
    case 5: return .writeCoil(address, first & 1 == 1)
    case 15: return .writeCoils(address, [first & 1 == 1])
    case 16: return .writeRegisters(address, words)
    case 22:
      let mask = register.order.sorted([register.content.mask]).first ?? 0
      return .maskRegister(address, and: ~mask, or: first & mask)
    case 23: return .writeAndRead(write: address, words, read: address, count: words.count)
    default: return .writeRegister(address, first)
    }
  }
}

extension ModbusRegister {
  /// What an answer says.
  ///
  /// - Throws: `RegisterError` `.refused` for an exception, and for what is no answer.
  fileprivate func answer(
    _ pdu: [UInt8], to request: ModbusRequest, of unit: UInt8
  ) throws(RegisterError) -> ModbusAnswer {
    guard let answer = request.answer(pdu) else {
      throw RegisterError(.refused, "unit \(unit) answered \(quoted(pdu, limit: 16)) to function \(request.function)")
    }
    guard case .exception(let exception) = answer else { return answer }
    let writes = request.function > 4
    let remedy =
      exception.code == 1 && writes ? "; it does not know function \(request.function), try another `write:`" : ""
    throw RegisterError(
      .refused, "unit \(unit) refuses to \(writes ? "write" : "read") \(name) (\(place)): \(exception)\(remedy)")
  }

  /// The value in an answer that reads this register alone; null where the unit has none.
  fileprivate func json(in pdu: [UInt8], to request: ModbusRequest, of unit: UInt8) throws(RegisterError) -> JSON {
    let answer = try answer(pdu, to: request, of: unit)
    do throws(RegisterMismatch) {
      return try value(in: answer, from: address).map { JSON($0) } ?? .null
    } catch {
      throw RegisterError(.refused, "\(name) (\(place)) \(error.message)")
    }
  }
}
