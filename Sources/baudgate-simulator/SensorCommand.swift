internal import ArgumentParser
internal import Foundation
internal import Simulator

struct SensorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sensor", abstract: "Send lines through a virtual serial port, paced as a real line.",
    discussion: "Stops at Ctrl-C after the line under way, and prints how many lines were sent.")

  @Option(help: "Where the port appears: a symbolic link that the daemon opens.")
  var link: String

  @Option(help: "Bits per second; a character takes 11 bit times.")
  var baud = 9600

  @Option(help: ArgumentHelp("Lines per second; 0 is as many as the line carries.", valueName: "lines"))
  var rate = 1.0

  @Flag(help: "Bytes arrive in bursts every 16 ms, as from a USB adapter.")
  var burst = false

  @Option(help: "The line; {n} is its number, other names are slow waves.")
  var template = "N={n},T={temperature}"

  @Option(help: "Stop after that many lines.")
  var count: Int?

  @Flag(help: "With --count: leave the port there until Ctrl-C.")
  var stay = false

  func validate() throws {
    if SensorTemplate(template) == nil { throw ValidationError("--template has no {name}, or an unclosed brace") }
    if !(1...100_000_000).contains(baud) { throw ValidationError("--baud must be between 1 and 100000000") }
    if !(rate >= 0 && rate <= 1e6) { throw ValidationError("--rate must be between 0 and 1000000") }
  }

  func run() async throws {
    guard let template = SensorTemplate(template) else { throw ExitCode.validationFailure }
    let limit = count ?? .max
    let sensor: VirtualSensor
    do {
      sensor = try VirtualSensor(
        link: link, timing: burst ? .usbAdapter(baud: baud) : .uart(baud: baud), rate: rate
      ) { $0 < limit ? template.line($0) : nil }
    } catch {
      FileHandle.standardError.write(Data("error: \(error)\n".utf8))
      throw ExitCode.failure
    }
    let events = UserEvents(tickEvery: .milliseconds(100), readsKeys: false)
    sensor.send("\n")
    sensor.resume()
    var isReported = false
    for await event in events.events {
      if stay, sensor.isFinished, !isReported {
        isReported = true
        Self.report(sensor)
      }
      if event == .stop || (sensor.isFinished && !stay) { break }
    }
    // A reader that does not read would hold pause() up.
    if sensor.unread == 0 { sensor.pause() }
    sensor.stop()
    if !isReported { Self.report(sensor) }
    withExtendedLifetime(events) {}
  }

  private static func report(_ sensor: VirtualSensor) {
    let text = "\(sensor.linesSent) lines, \(sensor.bytesSent) bytes\n"
    FileHandle.standardOutput.write(Data(text.utf8))
  }
}
