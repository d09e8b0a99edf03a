import Foundation
import Testing

@testable import Hardware

/// What is read of lines, from trees like the kernel's.
@Suite struct TTYInventoryTests {
  @Test func aUSBAdapterIsReadWithoutUdev() throws {
    let ttys = try FakeTTYs()
    let directory = try ttys.plug("ttyUSB0", "188:0", at: "1-1.2", serial: "A50285BI", interface: 10)
    let device = try #require(ttys.inventory().devices().first)
    #expect(device.node == "/dev/ttyUSB0" && device.number == DeviceNumber(major: 188, minor: 0))
    #expect(device.directory == directory)
    #expect(device.usbID == "0403:6001" && device.serial == "A50285BI" && device.interface == 10)
    #expect(device.driver == "ftdi_sio" && device.model == "FTDI FT232R USB UART")
    #expect(device.links == [] && device.properties == [:] && !device.isConsole)
    #expect(ttys.inventory().device(DeviceNumber(major: 188, minor: 0)) == device)
    #expect(ttys.inventory().device(DeviceNumber(major: 188, minor: 1)) == nil)
  }

  @Test func udevAddsLinksAndProperties() throws {
    let ttys = try FakeTTYs()
    let link = "/dev/serial/by-id/usb-FTDI-if00-port0"
    try ttys.plug(
      "ttyUSB0", "188:0", at: "1-1", serial: "A 5",
      udev: UdevEntry(
        links: [link, "/dev/meter"],
        properties: ["ID_PATH": "pci-0-usb-0:1:1.0", "ID_SERIAL_SHORT": "A_5", "ID_VENDOR_ID": "ffff"]))
    let device = try #require(ttys.inventory().devices().first)
    #expect(device.links == ["/dev/meter", link])
    #expect(device.serial == "A 5" && device.vendor == "0403", "sysfs has the device's own words")
    for serial in ["A 5", "A_5"] { #expect(PortMatch(serial: serial).fits(device)) }
    #expect(!PortMatch(serial: "A5").fits(device))
  }

  /// The tree of a board's UART on a kernel with a serial core bus, which has drivers of its own below the UART's.
  @Test func aBoardsUARTHasItsDriver() throws {
    let ttys = try FakeTTYs()
    let chip = "sys/devices/platform/soc/fe201000.serial"
    let line = "\(chip)/fe201000.serial:0/fe201000.serial:0.0/tty/ttyAMA0"
    try ttys.file("\(line)/dev", "204:64\n")
    try ttys.file("\(line)/type", "32\n")
    try ttys.file("\(line)/console", "Y\n")
    try ttys.link("\(line)/device", to: "../..")
    for (place, driver) in [("fe201000.serial:0/fe201000.serial:0.0", "port"), ("fe201000.serial:0", "ctrl")] {
      try ttys.file("sys/bus/serial-base/drivers/\(driver)/bind", "")
      try ttys.link("\(chip)/\(place)/driver", to: "\(ttys.root)/sys/bus/serial-base/drivers/\(driver)")
      try ttys.link("\(chip)/\(place)/subsystem", to: "\(ttys.root)/sys/bus/serial-base")
    }
    try ttys.file("sys/bus/amba/drivers/uart-pl011/bind", "")
    try ttys.link("\(chip)/driver", to: "\(ttys.root)/sys/bus/amba/drivers/uart-pl011")
    try ttys.link("\(chip)/subsystem", to: "\(ttys.root)/sys/bus/amba")
    try ttys.link("sys/class/tty/ttyAMA0", to: "\(ttys.root)/\(line)")
    let device = try #require(ttys.inventory().devices().first)
    #expect(device.driver == "uart-pl011" && device.isConsole && device.usbID == nil && device.serial == nil)
  }

  @Test func whatHasNoDeviceIsLeftOut() throws {
    let ttys = try FakeTTYs()
    try ttys.file("sys/class/tty/tty1/dev", "4:1\n")
    try ttys.file("sys/class/tty/ptmx/dev", "5:2\n")
    // A place for a UART, and none there.
    try ttys.file("sys/devices/platform/serial8250/tty/ttyS1/dev", "4:65\n")
    try ttys.file("sys/devices/platform/serial8250/tty/ttyS1/type", "0\n")
    try ttys.link("sys/devices/platform/serial8250/tty/ttyS1/device", to: "../..")
    try ttys.link("sys/class/tty/ttyS1", to: "\(ttys.root)/sys/devices/platform/serial8250/tty/ttyS1")
    // A link that leads nowhere: pulled this moment.
    try ttys.link("sys/class/tty/ttyUSB9", to: "\(ttys.root)/sys/devices/usb9")
    #expect(ttys.inventory().devices().isEmpty)
  }

  @Test func tenComesAfterTwo() throws {
    let ttys = try FakeTTYs()
    for number in [10, 2, 0] { try ttys.plug("ttyUSB\(number)", "188:\(number)", at: "1-\(number + 1)") }
    try ttys.plug("ttyACM10", "166:10", at: "1-20")
    #expect(
      ttys.inventory().devices().map(\.node) == ["/dev/ttyACM10", "/dev/ttyUSB0", "/dev/ttyUSB2", "/dev/ttyUSB10"])
  }

  /// Files no kernel writes.
  @Test func oddFilesDoNoHarm() throws {
    let ttys = try FakeTTYs()
    for (index, dev) in ["", "188", "188:", ":0", "a:b", "188:0:0", "99999999999:0"].enumerated() {
      try ttys.plug("ttyUSB\(index)", dev, at: "1-\(index + 1)")
    }
    #expect(ttys.inventory().devices().isEmpty)
    try ttys.plug(
      "ttyUSB9", "188:9", at: "1-9", vendor: "zzzz", product: "60012", serial: String(repeating: "x", count: 5000))
    try ttys.file("sys/devices/usb1/1-9/1-9:1.0/bInterfaceNumber", "-1\n\n\n")
    let device = try #require(ttys.inventory().devices().first)
    #expect(device.vendor == nil && device.product == nil && device.usbID == nil)
    #expect(device.serial?.count == KernelTree.textLimit)
  }

  @Test(arguments: [("/dev/null", "1:3"), ("/dev/ptmx", "5:2")])
  func aNodeHasItsNumber(_ path: String, _ number: String) throws {
    #expect(DeviceNumber(ofNode: path)?.description == number)
    #expect(DeviceNumber(text: number) == DeviceNumber(ofNode: path))
  }

  @Test(arguments: ["/", "/dev/no-such-node", "a\0b"]) func whatIsNoDeviceHasNone(_ path: String) {
    #expect(DeviceNumber(ofNode: path) == nil)
  }

  /// The machine's own, whatever it is.
  @Test func theRealTreesAreRead() {
    for device in TTYInventory().devices() {
      #expect(device.node.hasPrefix("/dev/") && device.directory.hasPrefix("/sys/"))
      #expect(device.directory == TTYInventory().directory(device.number))
    }
  }
}
