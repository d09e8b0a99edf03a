internal import CKernel
internal import EventLoop
internal import Glibc
internal import Telemetry
internal import YAML

/// A line of a GPIO character device, ABI v2 (Linux 5.10).
///
/// Kernel versions differ in what becomes of an output when its descriptor is closed: most chips leave it as it is, some
/// make it an input again. `safe: hold` means here that Baudgate leaves the value alone before it closes.
final class CharacterDeviceLine: SurrenderableLine, @unchecked Sendable {
  // @unchecked: one user at a time, as `GPIOLineHandle` says; the hand-overs order the accesses.
  private(set) var descriptor: CInt
  private(set) var first: Bool?
  let complaint: String? = nil
  let storeName: String
  private let options: GPIOLineOptions
  private let path: String
  let offset: UInt32?
  /// Whether the line has no interrupt and was had without asking for edges.
  let isPolled: Bool
  private var sequence = LineSequence()

  /// Edges taken in one read(2).
  private static let readLimit = 16
  /// The same of a line whose edges are counted.
  static let edgeReadLimit = 64

  /// Requests the line. May wait for a bus: not on the loop.
  ///
  /// - Parameters:
  ///   - reference: The chip's path, name (`gpiochip0`) or label.
  ///   - keeper: Where the line may be held from before.
  init(_ options: GPIOLineOptions, of reference: String, keeper: LineKeeper? = nil) throws(GPIOFault) {
    let chip = try OpenChip(reference)
    defer { Glibc.close(chip.descriptor) }
    let offset = try chip.offset(of: options.selector)
    self.offset = offset
    storeName = LineKeeper.name(of: offset, on: chip.name)
    if let held = keeper?.takeOver(options, offset, as: storeName, on: chip.descriptor) {
      (descriptor, first) = (held.descriptor, held.value)
      isPolled = false
      self.options = options
      path = chip.path
      return
    }
    let request: gpio_v2_line_request
    do {
      (request, isPolled) = try GPIORequestPlan.request(options, offset: offset) { request throws(SystemError) in
        try check("ioctl GPIO_V2_GET_LINE") { bg_gpio_request_line(chip.descriptor, &request) }
      }
    } catch {
      let consumer = error.errno == EBUSY ? chip.consumer(of: offset) : nil
      throw .requesting(options, of: chip.path, heldBy: consumer, error)
    }
    descriptor = request.fd
    self.options = options
    path = chip.path
    do {
      try check("fcntl") { bg_set_nonblocking(descriptor) }
      first = try value()
    } catch {
      release()
      throw .using(options, of: path, error)
    }
  }

  deinit { release() }

  func takeChanges() throws(GPIOFault) -> [GPIOChange] {
    let limit = options.meter == nil ? Self.readLimit : Self.edgeReadLimit
    var events = [gpio_v2_line_event](repeating: gpio_v2_line_event(), count: limit)
    let count: Int
    do {
      count = try check("read") { events.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) } }
    } catch {
      if error.errno == EAGAIN { return [] }
      throw .using(options, of: path, error)
    }
    // Never seen; an end of file would be reported again and again.
    guard count > 0 else { throw .gone(path) }
    let (capture, now) = (CaptureTime.now(), Self.monotonicNow())
    return events.prefix(count / MemoryLayout<gpio_v2_line_event>.size).map { event in
      GPIOChange(event, missed: sequence.gap(before: event.line_seqno), now: now, capture: capture)
    }
  }

  func sample() throws(GPIOFault) -> Bool {
    do { return try value() } catch { throw .using(options, of: path, error) }
  }

  func drive(_ value: Bool) throws(GPIOFault) -> Bool {
    var values = gpio_v2_line_values(bits: value ? 1 : 0, mask: 1)
    do {
      try check("ioctl GPIO_V2_LINE_SET_VALUES") { bg_gpio_set_values(descriptor, &values) }
      return try self.value()
    } catch {
      throw .using(options, of: path, error)
    }
  }

  func release() {
    guard descriptor >= 0 else { return }
    Glibc.close(descriptor)
    descriptor = -1
  }

  func surrender() -> CInt? {
    defer { descriptor = -1 }
    return descriptor >= 0 ? descriptor : nil
  }

  private func value() throws(SystemError) -> Bool {
    var values = gpio_v2_line_values(bits: 0, mask: 1)
    try check("ioctl GPIO_V2_LINE_GET_VALUES") { bg_gpio_get_values(descriptor, &values) }
    return values.bits & 1 == 1
  }

  private static func monotonicNow() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(max(0, time.tv_sec)) &* 1_000_000_000 &+ UInt64(max(0, time.tv_nsec))
  }
}

/// A chip's descriptor, needed for the request alone.
private struct OpenChip {
  let descriptor: CInt
  let path: String
  let name: String
  let label: String
  let lineCount: UInt32

  /// Opens the chip that `reference` means: a path, the kernel's name, or a label.
  init(_ reference: String) throws(GPIOFault) {
    if reference.hasPrefix("/") { self = try OpenChip(path: reference) } else { self = try Self.find(reference) }
  }

  private init(path: String) throws(GPIOFault) {
    self.path = path
    guard !path.utf8.contains(0) else { throw .opening(path, SystemError("open", errno: EINVAL)) }
    let descriptor: CInt
    do {
      descriptor = try check("open") { bg_open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0) }
    } catch {
      throw .opening(path, error)
    }
    var info = gpiochip_info()
    do {
      try check("ioctl GPIO_GET_CHIPINFO") { bg_gpio_chip_info(descriptor, &info) }
    } catch {
      Glibc.close(descriptor)
      throw error.errno == ENODEV ? .gone(path, error) : .notAChip(path, error)
    }
    self.descriptor = descriptor
    name = withUnsafeBytes(of: info.name) { text($0) }
    label = withUnsafeBytes(of: info.label) { text($0) }
    lineCount = info.lines
  }

  /// Looks for a name or a label among `/dev/gpiochip*`.
  private static func find(_ reference: String) throws(GPIOFault) -> OpenChip {
    var found: OpenChip?
    var seen: [String] = []
    for path in paths() {
      // One that may not be opened is none of ours, or the one asked for; then its path says more.
      guard let chip = try? OpenChip(path: path) else { continue }
      // Some systems link one name to another.
      let isNew = !seen.contains(chip.name)
      guard isNew, chip.name == reference || chip.label == reference else {
        if isNew { seen.append(chip.name) }
        Glibc.close(chip.descriptor)
        continue
      }
      seen.append(chip.name)
      if chip.name == reference {
        if let found { Glibc.close(found.descriptor) }
        return chip
      }
      guard let other = found else {
        found = chip
        continue
      }
      Glibc.close(chip.descriptor)
      Glibc.close(other.descriptor)
      throw GPIOFault(.wrong, "\(other.path) and \(path) are both labelled \(reference); write `chip: \(other.path)`")
    }
    if let found { return found }
    throw GPIOFault(
      .absent,
      "no chip that may be opened has the name or label \(reference); `gpiodetect` lists them, check `chip:` and that "
        + "the user baudgate is in the group of /dev/gpiochip*, mostly gpio")
  }

  /// `/dev/gpiochip*`, by number.
  private static func paths() -> [String] {
    let prefix = "gpiochip"
    guard let directory = opendir("/dev") else { return [] }
    defer { closedir(directory) }
    var numbers: [UInt16] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { text($0) }
      if name.hasPrefix(prefix), let number = UInt16(name.dropFirst(prefix.count)) { numbers.append(number) }
    }
    return numbers.sorted().map { "/dev/\(prefix)\($0)" }
  }

  /// The number of the line that is meant.
  func offset(of selector: GPIOLineSelector) throws(GPIOFault) -> UInt32 {
    switch selector {
    case .offset(let offset):
      guard offset < lineCount else {
        let lines = lineCount == 0 ? "no lines" : "the lines 0 to \(lineCount - 1)"
        throw GPIOFault(.wrong, "\(path) has \(lines), not \(offset); check `line:`")
      }
      return offset
    case .name(let name):
      return try GPIOLineSelector.offset(named: name, among: lineCount, of: path) { offset in
        info(of: offset).map { info in withUnsafeBytes(of: info.name) { text($0) } }
      }
    }
  }

  private func info(of offset: UInt32) -> gpio_v2_line_info? {
    var info = gpio_v2_line_info()
    info.offset = offset
    return bg_gpio_line_info(descriptor, &info) == 0 ? info : nil
  }

  /// Who holds a line; `nil` where the kernel does not say.
  func consumer(of offset: UInt32) -> String? {
    guard let info = info(of: offset) else { return nil }
    let consumer = withUnsafeBytes(of: info.consumer) { text($0) }
    return consumer.isEmpty ? nil : quoted(consumer)
  }
}

/// A C array's text, up to its zero.
private func text(_ bytes: UnsafeRawBufferPointer) -> String {
  String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
}
