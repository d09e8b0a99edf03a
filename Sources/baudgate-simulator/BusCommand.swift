internal import ArgumentParser
internal import Foundation
internal import Simulator

struct BusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bus", abstract: "Join two virtual serial ports by a half-duplex line, paced as a real one.",
    discussion: """
      A master opens the one, a program that plays the slaves the other. Prints READY when both are there. Stops at \
      Ctrl-C, and prints what the line has carried.
      """)

  @Option(help: "Where the master's port appears: a symbolic link.")
  var link: String

  @Option(help: "Where the slaves' port appears: a symbolic link.")
  var slaveLink: String

  @Option(help: "Bits per second; a character takes 11 bit times.")
  var baud = 19_200

  @Flag(help: "The master hears what it sends.")
  var echo = false

  @Flag(help: "The master hears stray bytes before and after answers.")
  var noise = false

  @Option(
    help: ArgumentHelp(
      "The master gets what came within that time at once, as from a USB adapter: 16ms.", valueName: "time"),
    transform: Self.milliseconds)
  var burst: Int?

  @Flag(help: "The master gets each byte alone.")
  var chop = false

  func validate() throws {
    if !(1...100_000_000).contains(baud) { throw ValidationError("--baud must be between 1 and 100000000") }
    if burst != nil, chop { throw ValidationError("--burst and --chop are opposites") }
    if link == slaveLink { throw ValidationError("--link and --slave-link must differ") }
  }

  func run() async throws {
    var options = PacedBus.Options(baud: baud)
    options.echoes = echo
    options.isNoisy = noise
    options.receiver = chop ? .byteByByte : burst.map { .burst(.milliseconds($0)) } ?? .uart
    let bus: PacedBus
    do {
      bus = try PacedBus(link: link, slaveLink: slaveLink, options)
    } catch {
      FileHandle.standardError.write(Data("error: \(error)\n".utf8))
      throw ExitCode.failure
    }
    let events = UserEvents(tickEvery: .milliseconds(500), readsKeys: false)
    FileHandle.standardOutput.write(Data("READY\n".utf8))
    for await event in events.events where event == .stop { break }
    bus.stop()
    let counts = bus.counts
    print(
      "\(counts.fromMaster) bytes from the master, \(counts.fromSlave) from the slaves, \(counts.collisions) collisions, "
        + "\(counts.lost) bytes lost")
    withExtendedLifetime(events) {}
  }

  private static func milliseconds(_ text: String) throws -> Int {
    let digits = text.hasSuffix("ms") ? String(text.dropLast(2)) : ""
    guard let count = Int(digits), (0...1000).contains(count) else {
      throw ValidationError("expected 0ms to 1000ms, such as 16ms")
    }
    return count
  }
}
