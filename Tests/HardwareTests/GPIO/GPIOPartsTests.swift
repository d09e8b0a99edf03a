import CKernel
import EventLoop
import Glibc
import Telemetry
import Testing

@testable import Hardware

/// What a request of the kernel's ABI holds. Source: <linux/gpio.h>.
@Suite struct GPIOLineRequestTests {
  static let chip = GPIOChipReference.device("gpiochip0")

  static func text(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  @Test(arguments: [(false, false), (false, true), (true, false), (true, true)])
  func anOutputTravelsWithItsValue(_ initial: Bool, _ isActiveLow: Bool) {
    var line = GPIOLineOptions.output("relay", 23, on: Self.chip, initial: initial)
    line.isActiveLow = isActiveLow
    var request = gpio_v2_line_request(line)
    #expect(request.num_lines == 1)
    #expect(request.offsets.0 == 23)
    #expect(request.offsets.1 == 0)
    #expect(withUnsafeBytes(of: &request.consumer) { Self.text($0) } == "baudgate")
    // GPIO_V2_LINE_FLAG_OUTPUT is bit 3, ACTIVE_LOW bit 1.
    #expect(request.config.flags == (isActiveLow ? 0b1010 : 0b1000))
    #expect(request.config.num_attrs == 1)
    #expect(request.config.attrs.0.attr.id == 2)
    #expect(request.config.attrs.0.attr.values == (initial ? 1 : 0), "the logical value: the kernel inverts it")
    #expect(request.config.attrs.0.mask == 1)
    #expect(request.event_buffer_size == 0)
  }

  /// INPUT is bit 2, both edges bits 4 and 5, the biases bits 8, 9 and 10.
  static let biases: [(GPIOLineOptions.Bias, UInt64)] = [
    (.asIs, 0b11_0100), (.pullUp, 0b1_0011_0100), (.pullDown, 0b10_0011_0100), (.disabled, 0b100_0011_0100),
  ]

  @Test(arguments: biases)
  func anInputAsksForBothEdges(_ bias: GPIOLineOptions.Bias, _ flags: UInt64) {
    var line = GPIOLineOptions.input("door", 4095, on: Self.chip)
    line.bias = bias
    let request = gpio_v2_line_request(line)
    #expect(request.offsets.0 == 4095)
    #expect(request.config.flags == flags)
    #expect(request.config.num_attrs == 0)
    #expect(request.event_buffer_size == 64)
  }

  static let periods: [(Duration, UInt32)] = [
    (.milliseconds(20), 20_000), (.microseconds(1), 1), (.seconds(10), 10_000_000),
    (.seconds(Int64.max), 3_600_000_000), (.seconds(-1), 0), (.nanoseconds(999), 0),
  ]

  @Test(arguments: periods)
  func theKernelDebounces(_ debounce: Duration, _ microseconds: UInt32) {
    var line = GPIOLineOptions.input("door", 17, on: Self.chip)
    line.debounce = debounce
    let request = gpio_v2_line_request(line)
    #expect(request.config.num_attrs == (microseconds > 0 ? 1 : 0))
    #expect(request.config.attrs.0.attr.debounce_period_us == microseconds)
    #expect(request.config.attrs.0.attr.id == (microseconds > 0 ? 3 : 0))
    #expect(request.config.attrs.0.mask == (microseconds > 0 ? 1 : 0))
  }

  static let ages: [(UInt64, UInt64, Int64)] = [
    (5_000_000_000, 5_000_000_000, 0), (4_998_500_000, 5_000_000_000, 1), (1_000_000_000, 5_000_000_000, 4_000),
    // From the future, and from before an hour.
    (5_000_000_001, 5_000_000_000, 0), (.max, 0, 0), (0, .max, 0),
  ]

  @Test(arguments: ages)
  func anEventsTimeIsCountedBackFromNow(_ event: UInt64, _ now: UInt64, _ age: Int64) {
    let capture = CaptureTime(milliseconds: 1_700_000_000_000, boottime: 90_000)
    let time = CaptureTime(monotonic: event, now: now, capture: capture)
    #expect(time == CaptureTime(milliseconds: 1_700_000_000_000 - age, boottime: 90_000 - age))
  }
}

/// What this machine has instead of chips.
@Suite struct CharacterDeviceLineTests {
  static let devices: [(String, GPIOFault.Code, String)] = [
    (
      "/dev/null", .wrong,
      "/dev/null is no GPIO chip; `ls /dev/gpiochip*` shows what is, check `chip:` (ioctl GPIO_GET_CHIPINFO: "
        + "Inappropriate ioctl for device)"
    ),
    (
      "/nowhere/gpiochip0", .absent,
      "/nowhere/gpiochip0 is not there; `ls /dev/gpiochip*` shows what is, check `chip:` (open: No such file or "
        + "directory)"
    ),
    (
      "/dev", .wrong,
      "/dev is no GPIO chip; `ls /dev/gpiochip*` shows what is, check `chip:` (open: Is a directory)"
    ),
    (
      "no-such-label", .absent,
      "no chip that may be opened has the name or label no-such-label; `gpiodetect` lists them, check `chip:` and that "
        + "the user baudgate is in the group of /dev/gpiochip*, mostly gpio"
    ),
  ]

  @Test(arguments: devices)
  func whatIsNoChipSaysSo(_ chip: String, _ code: GPIOFault.Code, _ message: String) {
    do throws(GPIOFault) {
      _ = try requestLine(.output("relay", 23, on: .device(chip)), isFirst: true)
      Issue.record("it was had")
    } catch {
      #expect(error.code == code)
      #expect(error.description == message)
    }
  }

  static let answers: [(CInt, String?, GPIOLineOptions.Direction, GPIOFault.Code, String)] = [
    (
      EBUSY, "\"w1\"", .output, .inUse, "line 23 of /dev/gpiochip0 is held by \"w1\"; end it, or choose another `line:`"
    ),
    (
      EBUSY, nil, .output, .inUse,
      "line 23 of /dev/gpiochip0 is held by another process or a driver; end it, or choose another `line:`"
    ),
    (
      EPERM, nil, .output, .forbidden,
      "may not use line 23 of /dev/gpiochip0; the chip keeps it from programs, choose another `line:`"
    ),
    (
      ENXIO, nil, .input, .wrong,
      "line 23 of /dev/gpiochip0 has no interrupt, so its changes cannot be followed; choose another"
    ),
    (ENODEV, nil, .input, .gone, "/dev/gpiochip0 went away: unplugged, or its driver was unloaded"),
    (
      EINVAL, nil, .input, .wrong,
      "line 23 of /dev/gpiochip0 refuses its settings; check `bias:` and `direction:`, and that Linux is 5.10 or later"
    ),
    (EIO, nil, .output, .failed, "cannot have line 23 of /dev/gpiochip0"),
  ]

  @Test(arguments: answers.indices)
  func theKernelsAnswersSayWhatToDo(_ row: Int) {
    let (errno, consumer, direction, code, message) = Self.answers[row]
    var line = GPIOLineOptions.output("relay", 23, on: .device("gpiochip0"))
    line.direction = direction
    let fault = GPIOFault.requesting(
      line, of: "/dev/gpiochip0", heldBy: consumer, SystemError("ioctl GPIO_V2_GET_LINE", errno: errno))
    #expect(fault.code == code)
    #expect(fault.message == message)
  }

  /// The ioctls reach the kernel: it does not know them for this descriptor.
  @Test func theIoctlsAnswerWithErrno() throws {
    let null = try check("open") { open("/dev/null", O_RDWR | O_CLOEXEC) }
    defer { close(null) }
    var info = gpio_v2_line_info()
    var request = gpio_v2_line_request()
    var values = gpio_v2_line_values()
    for call in [
      { bg_gpio_line_info(null, &info) }, { bg_gpio_request_line(null, &request) },
      { bg_gpio_get_values(null, &values) }, { bg_gpio_set_values(null, &values) },
    ] {
      errno = 0
      #expect(call() == -1)
      #expect(errno == ENOTTY)
    }
  }
}

@Suite struct InotifyRecordTests {
  static func record(_ watch: Int32, _ mask: UInt32, _ name: [UInt8], length: UInt32? = nil) -> [UInt8] {
    let words: [UInt32] = [UInt32(bitPattern: watch), mask, 0, length ?? UInt32(name.count)]
    return words.flatMap { word in withUnsafeBytes(of: word) { Array($0) } } + name
  }

  static func parse(_ bytes: [UInt8]) -> [InotifyRecord] { bytes.withUnsafeBytes { InotifyRecord.records($0) } }

  @Test func recordsFollowEachOther() {
    let bytes =
      Self.record(1, 0x100, Array("line17".utf8) + [0, 0]) + Self.record(2, 0x2, [])
      + Self.record(-1, 0x4000, []) + Self.record(1, 0x80, Array("fourteen-bytes".utf8) + [0, 0])
    #expect(
      Self.parse(bytes) == [
        InotifyRecord(watch: 1, mask: 0x100, name: "line17"), InotifyRecord(watch: 2, mask: 0x2),
        InotifyRecord(watch: -1, mask: 0x4000), InotifyRecord(watch: 1, mask: 0x80, name: "fourteen-bytes"),
      ])
  }

  @Test func whatIsCutShortIsLeftOut() {
    let whole = Self.record(1, 2, Array("line17".utf8) + [0, 0])
    for count in 0..<whole.count { #expect(Self.parse(Array(whole.prefix(count))).isEmpty, "\(count)") }
    #expect(Self.parse(Self.record(1, 2, [], length: .max)).isEmpty)
  }
}

@Suite struct DebouncerTests {
  typealias Verdict = Debouncer.Verdict

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// When, in milliseconds, and the level seen; `nil` asks whether one stands.
    let steps: [(Int, Bool?, Verdict)]
  }

  static func change(_ value: Bool, _ time: Int) -> GPIOChange {
    GPIOChange(value: value, time: CaptureTime(milliseconds: Int64(time), boottime: Int64(time)))
  }

  static let rows = [
    Row(testDescription: "the level that is there", steps: [(0, false, .rest), (30, nil, .rest)]),
    Row(
      testDescription: "a level that stands, with the time it began",
      steps: [
        (5, true, .wait(.milliseconds(20))), (10, true, .wait(.milliseconds(15))), (25, nil, .stands(change(true, 5))),
        (26, nil, .rest), (27, true, .rest),
      ]),
    Row(
      testDescription: "a timer that is early",
      steps: [
        (0, true, .wait(.milliseconds(20))), (19, nil, .wait(.milliseconds(1))), (20, nil, .stands(change(true, 0))),
      ]
    ),
    Row(
      testDescription: "a bounce begins anew",
      steps: [
        (0, true, .wait(.milliseconds(20))), (15, false, .rest), (16, true, .wait(.milliseconds(20))),
        (20, nil, .wait(.milliseconds(16))), (36, nil, .stands(change(true, 16))),
      ]),
    Row(
      testDescription: "a level that falls back",
      steps: [(0, true, .wait(.milliseconds(20))), (19, false, .rest), (40, nil, .rest)]),
    Row(
      testDescription: "and back again",
      steps: [
        (0, true, .wait(.milliseconds(20))), (20, nil, .stands(change(true, 0))), (21, false, .wait(.milliseconds(20))),
        (41, false, .stands(change(false, 21))),
      ]),
  ]

  @Test(arguments: rows) func aLevelStandsForItsTime(_ row: Row) {
    var debouncer = Debouncer(false, period: .milliseconds(20))
    for (time, level, verdict) in row.steps {
      let now = Duration.milliseconds(time)
      let found = level.map { debouncer.see(Self.change($0, time), now: now) } ?? debouncer.settle(now: now)
      #expect(found == verdict, "at \(time) ms")
    }
  }

  @Test func withoutATimeEveryChangePasses() {
    var debouncer = Debouncer(true, period: .zero)
    #expect(debouncer.see(Self.change(false, 1), now: .milliseconds(1)) == .stands(Self.change(false, 1)))
    #expect(debouncer.see(Self.change(true, 1), now: .milliseconds(1)) == .stands(Self.change(true, 1)))
    #expect(debouncer.see(Self.change(true, 2), now: .milliseconds(2)) == .rest)
  }
}

/// The life of a line without chips, loops and clocks.
@Suite struct GPIOLineStateMachineTests {
  typealias Machine = GPIOLineStateMachine

  static let absent = GPIOFault(.absent, "not there")
  static let inUse = GPIOFault(.inUse, "held")
  static let held: [(Machine.Event, Machine.Action)] = [(.start, .request), (.granted, .serve)]

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let steps: [(Machine.Event, Machine.Action)]
    let state: Machine.State
  }

  static let rows = [
    Row(testDescription: "a start", steps: held + [(.start, .none)], state: .held),
    Row(testDescription: "a stop", steps: held + [(.stop, .leave), (.stop, .none), (.timer, .none)], state: .released),
    Row(
      testDescription: "a start after a stop", steps: held + [(.stop, .leave), (.start, .request)], state: .requesting),
    Row(
      testDescription: "a stop during the request",
      steps: [(.start, .request), (.stop, .none), (.granted, .leave)], state: .released),
    Row(
      testDescription: "a stop during a request that fails",
      steps: [(.start, .request), (.stop, .none), (.refused(absent), .rest)], state: .released),
    Row(
      testDescription: "a start after that stop takes the request up",
      steps: [(.start, .request), (.stop, .none), (.start, .none), (.granted, .serve)], state: .held),
    Row(
      testDescription: "a refusal is waited out, longer each time",
      steps: [
        (.start, .request), (.refused(inUse), .wait(.milliseconds(375))), (.timer, .request),
        (.refused(inUse), .wait(.milliseconds(750))),
      ], state: .waiting),
    Row(
      testDescription: "a stop while waiting",
      steps: [(.start, .request), (.refused(inUse), .wait(.milliseconds(375))), (.stop, .rest)], state: .released),
    Row(
      testDescription: "an absent chip is looked for every five seconds",
      steps: [(.start, .request)]
        + [375, 750, 1500, 3000, 5000, 5000].flatMap { delay -> [(Machine.Event, Machine.Action)] in
          [(.refused(absent), .wait(.milliseconds(delay))), (.timer, .request)]
        }, state: .requesting),
    Row(
      testDescription: "a line that had been ours for long begins with the short wait",
      steps: [(.start, .request), (.refused(inUse), .wait(.milliseconds(375))), (.timer, .request), (.granted, .serve)]
        + [(.lost(inUse, afterBeingHeldFor: .seconds(10)), .wait(.milliseconds(375)))], state: .waiting),
    Row(
      testDescription: "a line that is lost at once goes on with longer waits",
      steps: [(.start, .request), (.refused(inUse), .wait(.milliseconds(375))), (.timer, .request), (.granted, .serve)]
        + [(.lost(inUse, afterBeingHeldFor: .seconds(9)), .wait(.milliseconds(750)))], state: .waiting),
    Row(
      testDescription: "what comes at the wrong time",
      steps: [
        (.granted, .none), (.refused(absent), .none), (.lost(absent, afterBeingHeldFor: .zero), .none), (.timer, .none),
        (.stop, .none),
      ], state: .released),
  ]

  @Test(arguments: rows) func aLineLives(_ row: Row) {
    var machine = Machine()
    var generator = SerialPortStateMachineTests.Middle()
    for (index, (event, action)) in row.steps.enumerated() {
      #expect(machine.handle(event, using: &generator) == action, "step \(index)")
    }
    #expect(machine.state == row.state)
  }
}
