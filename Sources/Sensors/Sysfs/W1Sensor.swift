internal import Glibc
internal import Telemetry
internal import YAML

/// Reads thermometers on 1-wire.
///
/// `w1_slave` is read rather than `temperature`, which newer kernels have beside it: it shows the scratchpad, and thus
/// what is no measurement.
struct W1Sensor: FileSensor {
  let settings: W1Settings
  let naming: KeyNaming
  /// The key of the whole reading with `report: json`.
  let document: Key?
  let files: any SysfsFiles
  /// At most one for each device that is there.
  private var judges: [W1Judge] = []
  /// Whether it has been told that thermometers cannot measure at once.
  private var hasToldRefusal = false

  init(settings: W1Settings, naming: KeyNaming, document: Key?, files: any SysfsFiles) {
    self.settings = settings
    self.naming = naming
    self.document = document
    self.files = files
  }

  mutating func read(as sensor: Int, into output: inout DecoderOutput) {
    var cycle = SysfsCycle(files)
    do throws(DecodingFault) { try read(&cycle) } catch { cycle.fail(error) }
    cycle.finish(as: sensor, document, into: &output)
  }

  private mutating func read(_ cycle: inout SysfsCycle) throws(DecodingFault) {
    let bus = try W1Bus(files)
    let wanted = settings.devices ?? discovered(on: bus)
    if wanted.isEmpty {
      throw DecodingFault(.absent, "no thermometer is on the 1-wire bus; check the wiring and the pull-up resistor")
    }
    let present = wanted.filter { bus.has($0.id) }
    if present.count < wanted.count {
      let missing = wanted.filter { !bus.has($0.id) }.map { "\($0.value.name) (\($0.id.name))" }
      let known = bus.thermometers.map(\.name)
      cycle.fail(
        DecodingFault(
          .absent,
          "\(listed(missing)) not on the 1-wire bus; \(known.isEmpty ? "no thermometer is" : "\(listed(known)) there")")
      )
    }
    tell(bus.convert(present.map(\.id)), &cycle)
    judges.removeAll { judge in !present.contains { $0.id == judge.id } }
    for device in present {
      do throws(DecodingFault) {
        cycle.take(try temperature(of: device.id, &cycle), for: device.value, isTemperature: true)
      } catch { cycle.fail(error.of(device.value.name)) }
    }
  }

  /// All that are there, each under its own name.
  private func discovered(on bus: W1Bus) -> [W1Settings.Device] {
    bus.thermometers.compactMap { id in
      naming.key(cleaning: id.name).map { key in
        W1Settings.Device(id: id, value: SysfsValue(name: id.name, key: key, scale: settings.scales[id.name]))
      }
    }
  }

  /// Says once why thermometers do not measure at once.
  private mutating func tell(_ refusal: SysfsError?, _ cycle: inout SysfsCycle) {
    guard let refusal else {
      hasToldRefusal = false
      return
    }
    if !hasToldRefusal {
      cycle.fail(
        DecodingFault(
          .forbidden,
          """
          the thermometers are read one after another, which takes most of a second each: may not write \(refusal.path), \
          \(refusal.reason); docs/sysfs.md says how to allow it
          """))
    }
    hasToldRefusal = true
  }

  /// °C, with one more attempt where that may help.
  private mutating func temperature(of id: W1ID, _ cycle: inout SysfsCycle) throws(DecodingFault) -> Double {
    let index = judges.firstIndex { $0.id == id } ?? judges.count
    if index == judges.count { judges.append(W1Judge(id)) }
    do throws(DecodingFault) { return try attempt(id, &judges[index]) } catch {
      guard cycle.mayRetry(after: error) else { throw error }
      return try attempt(id, &judges[index])
    }
  }

  private func attempt(_ id: W1ID, _ judge: inout W1Judge) throws(DecodingFault) -> Double {
    let directory = "\(W1Bus.directory)/\(id.name)"
    if let text = try contents(of: "\(directory)/w1_slave", mayBeAbsent: true) {
      guard let block = W1Block(text) else { throw unknownForm("\(directory)/w1_slave", text) }
      return try judge.judge(block)
    }
    let path = "\(directory)/temperature"
    guard let text = try contents(of: path, mayBeAbsent: false) else {
      throw DecodingFault(.absent, "\(path) is not there")
    }
    guard case .number(let temperature) = NumberText.integer(SysfsText.trimmed(text)) else {
      throw unknownForm(path, text)
    }
    return try judge.judge(temperature)
  }

  /// - Throws: `.unreadable` for an empty file too, which is how the driver says that it got no answer.
  private func contents(of path: String, mayBeAbsent: Bool) throws(DecodingFault) -> [UInt8]? {
    let text: [UInt8]
    do throws(SysfsError) { text = try files.contents(of: path) } catch {
      if mayBeAbsent, error.errno == ENOENT { return nil }
      throw error.fault
    }
    guard !SysfsText.trimmed(text).isEmpty else {
      throw DecodingFault(
        .unreadable,
        "it gave no reading (\(path) is empty): no answer, or one whose CRC is wrong; check the cable and the pull-up resistor"
      )
    }
    return text
  }

  private func unknownForm(_ path: String, _ text: [UInt8]) -> DecodingFault {
    DecodingFault(.mismatch, "\(path) has another form than a thermometer's: \(quoted(text))")
  }
}
