internal import Telemetry

/// One reading of a sensor's files: what was found, what went wrong, and how often a second attempt is still made.
struct SysfsCycle {
  /// Colder than anything: what drivers say before they have measured (`THERMAL_TEMP_INVALID` is -274000).
  private static let absoluteZero = -273.15

  let files: any SysfsFiles
  private var readings: [Reading] = []
  private var faults: [DecodingFault] = []
  private var retries = SysfsLimits.retries

  init(_ files: any SysfsFiles) { self.files = files }

  // MARK: Reading

  /// The number in a file, with one more attempt where that may help.
  mutating func number(in path: String) throws(DecodingFault) -> Double {
    do throws(DecodingFault) { return try attempt(path) } catch {
      guard mayRetry(after: error) else { throw error }
      return try attempt(path)
    }
  }

  private func attempt(_ path: String) throws(DecodingFault) -> Double {
    let bytes: [UInt8]
    do throws(SysfsError) { bytes = try files.contents(of: path) } catch { throw error.fault }
    let text = SysfsText.trimmed(bytes)
    guard let number = NumberText.double(text), number.isFinite else {
      throw DecodingFault(.notNumber, "expected a number in \(path), got \(quoted(text))")
    }
    return number
  }

  /// The text in a file; `nil` where it cannot be read.
  func text(in path: String) -> String? {
    do throws(SysfsError) { return SysfsText.string(try files.contents(of: path)) } catch { return nil }
  }

  /// Whether to try once more; has waited for the right moment then.
  mutating func mayRetry(after fault: DecodingFault) -> Bool {
    guard fault.isWorthRetrying, retries > 0 else { return false }
    retries -= 1
    files.pause(milliseconds: SysfsLimits.retryPause)
    return true
  }

  // MARK: Results

  /// - Parameter isTemperature: Whether it is in °C.
  mutating func take(_ number: Double, for value: SysfsValue, isTemperature: Bool) {
    do throws(DecodingFault) {
      guard !isTemperature || number >= Self.absoluteZero else {
        throw DecodingFault(.implausible, "\(number) °C is below absolute zero: the driver has not measured yet")
      }
      readings.append(try value.reading(number))
    } catch { faults.append(error.of(value.name)) }
  }

  mutating func fail(_ fault: DecodingFault) { faults.append(fault) }

  /// Appends the sample, if anything was read, and what went wrong.
  ///
  /// - Parameter document: The key of the whole reading with `report: json`.
  func finish(as sensor: Int, _ document: Key?, into output: inout DecoderOutput) {
    for fault in faults { output.faults.append((sensor, fault)) }
    guard !readings.isEmpty else { return }
    var readings = readings
    if let document {
      readings = [
        Reading(document, .json(.object(readings.map { JSON.Member($0.key.name, JSON($0.value)) })))
      ]
    }
    output.samples.append((sensor, Sample(time: .now(), readings: readings)))
  }
}
