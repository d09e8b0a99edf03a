internal import CKernel
public import EventLoop
internal import Glibc
internal import Synchronization

/// Has outputs with `safe: hold` outlive this process: their descriptors lie in the service manager's store too, and go
/// on to a program that takes this one's place. As long as one is open the kernel drives the line.
///
/// Of character devices alone: the file of a simulated line stays as it is anyway. From any thread.
public final class LineKeeper: Sendable {
  private let store: DescriptorStore?
  /// From before, and wanted by nobody so far.
  private let inherited: Mutex<[InheritedDescriptor]>
  /// Left open at the end.
  private let left = Mutex<[InheritedDescriptor]>([])

  /// - Parameters:
  ///   - inherited: What the process before this one has left.
  ///   - store: The service manager's; `nil` without one.
  public init(_ inherited: [InheritedDescriptor] = [], store: DescriptorStore? = nil) {
    self.store = store
    self.inherited = Mutex(inherited)
  }

  /// What one line is called: the kernel's own name of its chip, which stays the same as long as a descriptor can live.
  static func name(of offset: UInt32, on chip: String) -> String { "gpio.\(chip).\(offset)" }

  // MARK: From before

  /// The descriptor of this very line, requested as it would be now. What else has its name is closed, so that it does
  /// not stand in the way of a request. May wait.
  ///
  /// - Parameters:
  ///   - offset: The line's number on the chip.
  ///   - name: What its descriptor is called.
  ///   - chip: The chip's descriptor.
  /// - Returns: The descriptor and the line's value; `nil` where the line is to be requested.
  func takeOver(_ line: GPIOLineOptions, _ offset: UInt32, as name: String, on chip: CInt) -> (
    descriptor: CInt, value: Bool
  )? {
    var found = inherited.withLock { inherited in
      let found = inherited.filter { $0.name == name }.map(\.descriptor)
      if !found.isEmpty { inherited.removeAll { $0.name == name } }
      return found
    }
    guard !found.isEmpty else { return nil }
    defer { for descriptor in found { Glibc.close(descriptor) } }
    // Only what is still to outlive us is left as it is; all else takes its value with a request of its own.
    if line.direction == .output, line.safe == .hold,
      let index = found.firstIndex(where: { HeldLine($0).is(line, offset, called: name, on: chip) }),
      let value = Self.value(of: found[index])
    {
      // The store has it already, unless it came from a program in whose place we are.
      return (found.remove(at: index), value)
    }
    for descriptor in found { Glibc.close(descriptor) }
    found = []
    forget(name, waits: true)
    return nil
  }

  /// Closes what nobody has asked for: lines the configuration has no more.
  public func dropUnclaimed() {
    let unclaimed = inherited.withLock { inherited in
      defer { inherited = [] }
      return inherited
    }
    for entry in unclaimed {
      Glibc.close(entry.descriptor)
      forget(entry.name, waits: false)
    }
  }

  private static func value(of descriptor: CInt) -> Bool? {
    var values = gpio_v2_line_values(bits: 0, mask: 1)
    return bg_gpio_get_values(descriptor, &values) == 0 ? values.bits & 1 == 1 : nil
  }

  // MARK: For afterwards

  // A manager that does not take it leaves the line as it would be without one: nothing to be done about it here.
  func keep(_ descriptor: CInt, as name: String) { try? store?.keep(descriptor, as: name) }

  func forget(_ name: String, waits: Bool) { try? store?.forget(name, waits: waits) }

  func leave(_ descriptor: CInt, as name: String) {
    left.withLock { $0.append(InheritedDescriptor(name: name, descriptor: descriptor)) }
  }

  /// Has the program that takes this one's place find the lines that were left: right before execve(2).
  public func passOn() { DescriptorStore.passOn(left.withLock { $0 }) }

  // MARK: Requests

  /// Requests lines of the kernel's or of a simulated chip; outputs of the kernel's can outlive this process.
  @Sendable func request(_ line: GPIOLineOptions, isFirst: Bool) throws(GPIOFault) -> any GPIOLineHandle {
    guard case .device(let chip) = line.chip else { return try requestLine(line, isFirst: isFirst) }
    let device = try CharacterDeviceLine(line, of: chip, keeper: self)
    return line.direction == .output ? KeptLine(device, line, self) : device
  }
}

/// A line whose descriptor alone is what drives it.
protocol SurrenderableLine: GPIOLineHandle {
  /// What the descriptor is called where it outlives this process.
  var storeName: String { get }

  /// Leaves the descriptor open, to who calls; the line is not ours any more.
  func surrender() -> CInt?
}

/// An output of a character device whose value may outlive this process.
final class KeptLine: GPIOLineHandle, @unchecked Sendable {
  // @unchecked: one user at a time, as `GPIOLineHandle` says.
  private let line: any SurrenderableLine
  private let keeper: LineKeeper
  private var isHeld = false

  init(_ line: any SurrenderableLine, _ options: GPIOLineOptions, _ keeper: LineKeeper) {
    self.line = line
    self.keeper = keeper
    // At once: a crash gives no time for it.
    if options.safe == .hold { hold(true) }
  }

  var descriptor: CInt { line.descriptor }
  var first: Bool? { line.first }
  var complaint: String? { line.complaint }
  var offset: UInt32? { line.offset }
  func takeChanges() throws(GPIOFault) -> [GPIOChange] { try line.takeChanges() }
  func drive(_ value: Bool) throws(GPIOFault) -> Bool { try line.drive(value) }

  func hold(_ isHeld: Bool) {
    guard isHeld != self.isHeld, line.descriptor >= 0 else { return }
    self.isHeld = isHeld
    if isHeld { keeper.keep(line.descriptor, as: line.storeName) } else { keeper.forget(line.storeName, waits: false) }
  }

  func release() {
    line.release()
    guard isHeld else { return }
    isHeld = false
    // The next request would meet our own descriptor.
    keeper.forget(line.storeName, waits: true)
  }

  func release(keeping: Bool) {
    guard keeping else { return release() }
    hold(true)
    if let descriptor = line.surrender() { keeper.leave(descriptor, as: line.storeName) }
  }
}

/// What the kernel says of an open descriptor that may be a line's.
struct HeldLine {
  private let descriptor: CInt

  init(_ descriptor: CInt) { self.descriptor = descriptor }

  /// Whether it is this line, an output of ours that is driven as the configuration says.
  ///
  /// - Parameters:
  ///   - name: What it is called where it outlives a process, which tells chip and offset.
  ///   - chip: The chip's descriptor.
  func `is`(_ line: GPIOLineOptions, _ offset: UInt32, called name: String, on chip: CInt) -> Bool {
    var info = gpio_v2_line_info()
    info.offset = offset
    guard bg_gpio_line_info(chip, &info) == 0, Self.isDriven(info, isActiveLow: line.isActiveLow) else { return false }
    // The kernel tells since 6.2; before, what the descriptor was called when it was stored has to do.
    if let lines = Self.lines(in: text(of: "/proc/self/fdinfo/\(descriptor)")) { return lines == [name] }
    return target(of: "/proc/self/fd/\(descriptor)") == "anon_inode:gpio-line"
  }

  static func isDriven(_ info: gpio_v2_line_info, isActiveLow: Bool) -> Bool {
    func has(_ flag: gpio_v2_line_flag) -> Bool { info.flags & UInt64(flag.rawValue) != 0 }
    let consumer = withUnsafeBytes(of: info.consumer) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return consumer == gpioConsumer && has(GPIO_V2_LINE_FLAG_USED) && has(GPIO_V2_LINE_FLAG_OUTPUT)
      && has(GPIO_V2_LINE_FLAG_ACTIVE_LOW) == isActiveLow
  }

  /// The names of the lines a descriptor holds, by its file in /proc/self/fdinfo: `gpio-chip:\tgpiochip0`,
  /// `gpio-line:\t23`.
  ///
  /// - Returns: `nil` where it says nothing of lines.
  static func lines(in fdinfo: String) -> [String]? {
    var chip: String?
    var lines: [String] = []
    for entry in fdinfo.split(separator: "\n") {
      let words = entry.split { $0 == "\t" || $0 == " " }
      guard words.count == 2 else { continue }
      if words[0] == "gpio-chip:" { chip = String(words[1]) }
      if words[0] == "gpio-line:", let chip, let offset = UInt32(words[1]) {
        lines.append(LineKeeper.name(of: offset, on: chip))
      }
    }
    return chip == nil ? nil : lines
  }

  private func text(of path: String) -> String {
    let file = bg_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { return "" }
    defer { Glibc.close(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(file, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  private func target(of path: String) -> String {
    var bytes = [CChar](repeating: 0, count: 256)
    let count = readlink(path, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
