import Foundation
import Telemetry
import Testing

/// Lines other projects publish with what they mean; `BAUDGATE_FRAMES` names the file.
private let frames: [JSON]? = {
  let path = ProcessInfo.processInfo.environment["BAUDGATE_FRAMES"] ?? "../shared/frames.jsonl"
  guard let text = FileManager.default.contents(atPath: path) else { return nil }
  return text.split(separator: UInt8(ascii: "\n")).compactMap { try? JSON(parsing: Array($0)) }
}()

private struct Published: Sendable, CustomStringConvertible {
  let description: String
  let `protocol`: String
  let options: String
  /// Value name to the name the file has for it.
  let names: [String: String]
  /// How many lines of the file have to fit, all of their values published.
  let least: Int
}

private let published = [
  Published(
    description: "RFLink switches", protocol: "rflink-line",
    options: #"template: "20;{_};{protocol:text};ID={id:text};SWITCH={switch:text};CMD={command:text};""#,
    names: ["switch": "switch", "command": "command"], least: 15),
  Published(
    description: "RFLink humidity and battery", protocol: "rflink-line",
    options: "regex: 'HUM=(?<humidity>\\d+);(.*BAT=(?<battery>\\w+);)?'\ntypes: {humidity: int, battery: text}",
    names: ["humidity": "humidity", "battery": "battery"], least: 3),
  Published(
    description: "JeeLink", protocol: "jeelink-line",
    options: #"template: "OK 9 {id:int} {kind:int} {_} {_} {humidity:int}""#,
    names: ["id": "id", "kind": "sensortype", "humidity": "humidity"], least: 1),
  Published(
    description: "a Mettler Toledo balance", protocol: "mt-sics", options: #"template: "S S {weight} {unit:text}""#,
    names: ["weight": "weight", "unit": "unit"], least: 1),
  Published(
    description: "a Megatec UPS, whose lines end in CR", protocol: "megatec-q1",
    options: #"template: "\x23{v} {i} {b} {f}""#,
    names: ["v": "rated_voltage", "i": "rated_current", "b": "battery_voltage", "f": "frequency"], least: 1),
  Published(
    description: "a DS18B20 as the kernel prints it", protocol: "w1-slave-text",
    options: "regex: ' t=(?<t>-?\\d+)$'\nscale: {t: 0.001}", names: ["t": "temperature_C"], least: 2),
  Published(
    description: "a DS2423 as the kernel prints it", protocol: "w1-ds2423-text",
    options: "regex: 'crc=(?<crc>YES) c=(?<count>\\d+)$'\ntypes: {count: int, crc: text}",
    names: ["count": "count", "crc": "crc"], least: 2),
]

@Test(.enabled(if: frames != nil, "no published frames: set BAUDGATE_FRAMES to frames.jsonl"), arguments: published)
private func publishedLinesAreRead(_ row: Published) throws {
  var fitting = 0
  for frame in frames ?? [] where frame["protocol"] == .string(row.protocol) && frame["valid"] == .bool(true) {
    guard case .string(let hex) = frame["hex"], case .object(let expected) = frame["expected"] else { continue }
    var decoder = try lineSensor(row.options + "\nreport: json")
    let harvest = Harvest(&decoder, [bytes(hex)])
    guard let sample = harvest.samples.first else { continue }
    #expect(harvest.samples.count == 1)
    let reading = try JSON(parsing: Array(sample.dropFirst("s=".count).utf8))
    var isWhole = true
    for (name, published) in row.names {
      guard let value = reading[name] else { continue }
      // Some tests elsewhere assert a part of the line only.
      guard let wanted = expected.last(where: { $0.name == published })?.value else {
        isWhole = false
        continue
      }
      #expect(isSame(value, wanted), "\(name) of \(frame["id"]?.text ?? "")")
    }
    if isWhole { fitting += 1 }
  }
  #expect(fitting >= row.least)
}

private func bytes(_ hex: String) -> [UInt8] {
  stride(from: 0, to: hex.utf8.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
}

/// The reference decoders write words in lower case and whole numbers without a point.
private func isSame(_ ours: JSON, _ theirs: JSON) -> Bool {
  switch (ours, theirs) {
  case (.string(let ours), .string(let theirs)): ours.lowercased() == theirs.lowercased()
  case (.double(let ours), .integer(let theirs)): ours == Double(theirs)
  default: ours == theirs
  }
}
