internal import ArgumentParser
internal import Foundation
internal import Simulator

struct ServerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server", abstract: "Serve the device API on 127.0.0.1 and print every request.",
    discussion: "Stops at Ctrl-C, and then prints how many values each key has.")

  @Option(help: "The port; 0 takes a free one.")
  var port: UInt16 = 8080

  @Option(
    help: ArgumentHelp("A known access token; may be repeated. Without one any token is taken.", valueName: "token"))
  var token: [String] = []

  @Option(
    help: ArgumentHelp("Cut the server off that many seconds after the start, for that long.", valueName: "at:for"))
  var cut: [Cut] = []

  func run() async throws {
    let server = DeviceServer(ServerOptions(tokens: token.isEmpty ? nil : Set(token)))
    do { try await server.start(port: port) } catch {
      FileHandle.standardError.write(Data("error: \(error)\n".utf8))
      throw ExitCode.failure
    }
    print("listening on \(server.url)")
    let events = UserEvents(tickEvery: .milliseconds(100), readsKeys: false)
    let start = ContinuousClock.now
    var shown = 0
    loop: for await event in events.events {
      for request in server.requests(after: shown) {
        shown = request.number
        print(RequestText.line(request))
      }
      fflush(nil)
      if event == .stop { break loop }
      let elapsed = ContinuousClock.now - start
      let isCut = cut.contains { $0.contains(elapsed) }
      if isCut, server.isListening {
        await server.cutOff()
        print("cut off")
      } else if !isCut, !server.isListening {
        do {
          try await server.bringBack()
          print("back")
        } catch { print("\(error); trying again") }
      }
    }
    await server.stop()
    for key in server.keys() { print("\(key): \(server.count(of: key)) values") }
    withExtendedLifetime(events) {}
  }
}

/// `10:5`: from the tenth second on, for five.
struct Cut: ExpressibleByArgument {
  let start: Duration
  let length: Duration

  init?(argument: String) {
    let parts = argument.split(separator: ":").map { Double($0) }
    guard parts.count == 2, let start = parts[0], let length = parts[1], start >= 0, length > 0, start + length < 1e9
    else { return nil }
    self.start = .seconds(start)
    self.length = .seconds(length)
  }

  func contains(_ time: Duration) -> Bool { time >= start && time < start + length }
}
