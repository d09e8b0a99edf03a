internal import Foundation

/// Where the demo shows what happens.
protocol DemoView: AnyObject {
  /// Between two looks.
  var interval: Duration { get }
  func show(_ snapshot: DemoSnapshot)
  /// Something that is not part of the picture: a step, a cut.
  func say(_ text: String)
  /// Ends the picture; what follows is plain text.
  func close()
}

/// Plain lines, for a pipe, a log, or a CI job.
final class PlainView: DemoView {
  let interval = Duration.seconds(1)
  private var lastRequest = 0
  private var logShown = 0

  func show(_ snapshot: DemoSnapshot) {
    for request in snapshot.requests where request.number > lastRequest {
      lastRequest = request.number
      print("  \(RequestText.line(request))")
    }
    for line in snapshot.log.suffix(snapshot.logCount - logShown) { print("  daemon: \(line)") }
    logShown = snapshot.logCount
    let sensors = snapshot.sensors.map { sensor in
      let values = sensor.latest.map { "\($0.name)=\($0.text)" }.joined(separator: " ")
      return "\(sensor.name) \(sensor.linesArrived)/\(sensor.linesSent) lines (\(values))"
    }
    let server = snapshot.isServerUp ? "" : "   SERVER CUT OFF"
    print(
      DemoText.right(DemoText.seconds(snapshot.elapsed), 7) + "  " + sensors.joined(separator: "   ")
        + "   queue \(DemoText.queue(snapshot.status))   relay \(DemoText.relay(snapshot.relay))" + server)
    fflush(nil)
  }

  func say(_ text: String) {
    print(text)
    fflush(nil)
  }

  func close() {}
}

/// A picture in a terminal.
final class LiveView: DemoView {
  let interval = Duration.milliseconds(200)
  private let terminal = Terminal()
  private var notice = ""

  init() { terminal.open() }

  deinit { terminal.close() }

  func say(_ text: String) { notice = text }

  func close() { terminal.close() }

  func show(_ snapshot: DemoSnapshot) {
    let (columns, rows) = terminal.size
    let head = top(snapshot)
    let foot =
      "c: \(snapshot.isServerUp ? "cut the server off" : "bring the server back")   r: switch the relay   q: quit"
    // The log takes what it needs, at most a quarter; the requests get the rest.
    let log = snapshot.log.suffix(max(2, rows / 4))
    let room = max(1, rows - head.count - log.count - 6)
    var lines = head
    lines.append(Self.title("requests, newest first"))
    lines += snapshot.requests.suffix(room).reversed().map { record in
      Self.colour(record.status == 200 ? 32 : 31, DemoText.fit("  " + RequestText.line(record), columns))
    }
    while lines.count < head.count + 1 + room { lines.append("") }
    lines.append(Self.title("the daemon's warnings"))
    lines += log.map { Self.colour(33, DemoText.fit("  " + $0, columns)) }
    lines.append("")
    lines.append(DemoText.fit("  " + notice, columns))
    lines.append(Self.inverse(DemoText.pad(DemoText.fit(" " + foot, columns), columns)))
    terminal.draw(lines)
  }

  private func top(_ snapshot: DemoSnapshot) -> [String] {
    let columns = terminal.size.columns
    let server =
      snapshot.isServerUp
      ? Self.colour(32, "\(snapshot.url) answers") : Self.colour(31, "\(snapshot.url) is CUT OFF")
    var lines = [
      Self.inverse(
        DemoText.pad(
          DemoText.fit(" Baudgate demo   \(DemoText.seconds(snapshot.elapsed))   daemon \(snapshot.daemonID)", columns),
          columns)),
      "",
      Self.title("sensors"),
    ]
    for sensor in snapshot.sensors {
      let values = sensor.latest.map { "\($0.name) \($0.text)" }.joined(separator: "  ")
      let rate = String(format: "%.1f/s", sensor.rate)
      let text =
        DemoText.pad("  \(sensor.name)", 12) + DemoText.pad(sensor.description, 26)
        + DemoText.right("\(sensor.linesSent) sent", 12) + DemoText.right("\(sensor.linesArrived) arrived", 14)
        + DemoText.right(rate, 9) + "   " + values
      lines.append(DemoText.fit(text, columns))
    }
    let depth = snapshot.status?.queueRecords ?? 0
    let bar = String(repeating: "█", count: min(max(0, columns - 70), depth / 5))
    lines += [
      DemoText.fit(
        DemoText.pad("  relay", 12) + DemoText.pad("GPIO line \(DemoRelay.line)", 26) + DemoText.relay(snapshot.relay),
        columns),
      "",
      Self.title("queue"),
      "  " + Self.colour(depth > 100 ? 33 : 32, DemoText.fit(DemoText.queue(snapshot.status) + " " + bar, columns - 2)),
      "",
      Self.title("server"),
      "  " + server
        + "   \(snapshot.counters.requests) requests, \(snapshot.counters.failures) failed, "
        + "\(DemoText.bytes(snapshot.counters.bytesReceived)), \(snapshot.counters.values) values",
      "",
    ]
    return lines
  }

  private static func title(_ text: String) -> String { "\u{1B}[1m\(text.uppercased())\u{1B}[0m" }
  private static func colour(_ code: Int, _ text: String) -> String { "\u{1B}[\(code)m\(text)\u{1B}[0m" }
  private static func inverse(_ text: String) -> String { "\u{1B}[7m\(text)\u{1B}[0m" }
}
