internal import Telemetry

/// The decoder of a port whose sensors send lines of text.
///
/// The first sensor whose format fits takes a line; one that fits none is one fault, so that nobody is blamed for the
/// other's lines.
struct LineDecoder: PortDecoder {
  struct Sensor {
    let name: String
    /// The key of the whole reading with `report: json`.
    let document: Key?
    var reader: any LineReader
  }

  private var framer: LineFramer
  private var sensors: [Sensor]

  /// - Parameter lineLimit: Bytes.
  init(_ sensors: [Sensor], lineLimit: Int) {
    self.sensors = sensors
    framer = LineFramer(limit: lineLimit)
  }

  mutating func portOpened() {
    framer.portOpened()
  }

  mutating func takeOver(from other: any PortDecoder) {
    guard let other = other as? LineDecoder else { return portOpened() }
    framer.takeOver(from: other.framer)
  }

  mutating func feed(_ bytes: [UInt8], at time: CaptureTime, into output: inout DecoderOutput) {
    var rest = bytes[...]
    while let event = framer.next(from: &rest) {
      switch event {
      case .line(let line): read(line, at: time, into: &output)
      case .partial(let count):
        let message = "\(count) bytes before the first line end after opening, dropped"
        output.faults.append((0, DecodingFault(.partial, message)))
      case .tooLong:
        let message = """
          more than \(framer.limit) bytes without a line end, dropped up to the next one; \
          check the port's `baud:` or raise `max_line:`
          """
        output.faults.append((0, DecodingFault(.tooLong, message)))
      }
    }
  }

  private mutating func read(_ line: ArraySlice<UInt8>, at time: CaptureTime, into output: inout DecoderOutput) {
    var mismatches: [LineMismatch] = []
    for index in sensors.indices {
      var result = LineResult()
      do throws(LineMismatch) {
        try sensors[index].reader.read(line, into: &result)
      } catch {
        mismatches.append(error)
        continue
      }
      for mismatch in mismatches.enumerated() where mismatch.element.code == .tooComplex {
        // Whoever takes the line: the expression cost as much as it may.
        output.faults.append((mismatch.offset, mismatch.element.fault(in: line)))
      }
      for omission in result.omissions { output.faults.append((index, omission.fault(in: line))) }
      if !result.readings.isEmpty {
        let readings = sensors[index].document.map { [Self.document($0, of: result.readings)] } ?? result.readings
        output.samples.append((index, Sample(time: time, readings: readings)))
      }
      return
    }
    // An expression that gave up is told whatever else there is: it costs time, and only its sensor's file mends it.
    let exhausted = mismatches.firstIndex { $0.code == .tooComplex }
    let fault = fault(in: line, mismatches, exhausted == nil ? .mismatch : .tooComplex)
    output.faults.append((exhausted ?? 0, fault))
  }

  private static func document(_ key: Key, of readings: [Reading]) -> Reading {
    Reading(key, .json(.object(readings.map { JSON.Member($0.key.name, JSON($0.value)) })))
  }

  /// A message names at most so many sensors with their reasons.
  private static let mostReasons = 4

  private func fault(
    in line: ArraySlice<UInt8>, _ mismatches: [LineMismatch], _ code: DecodingFault.Code
  ) -> DecodingFault {
    if mismatches.count == 1 { return mismatches[0].fault(in: line) }
    let rest = sensors.count > Self.mostReasons ? ["…"] : []
    let names = sensors.prefix(Self.mostReasons).map(\.name)
    let reasons = zip(names, mismatches).map { "\($0): \($1.message)" } + rest
    return DecodingFault(
      code,
      "none of \((names + rest).joined(separator: ", ")) fits \(quoted(line)) (\(reasons.joined(separator: "; ")))")
  }
}
