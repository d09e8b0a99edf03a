internal import Telemetry
internal import YAML

extension RPCOptions {
  /// Methods with a bare value, which name no line themselves.
  static let bindable = ["setValue", "getValue", "checkStatus"]
  /// What an alias may stand for.
  static let methods =
    bindable + [
      "setGpio", "getGpio", "setGpioStatus", "getGpioStatus", "pulseGpio", "readNow", "modbusRead",
      "modbusWrite", "serialWrite", "getStatus", "reboot", "run",
    ]
  /// What touches more than one device's sensors and lines: whoever owns one must not restart the board of all.
  private static let gatewayMethods = ["serialWrite", "reboot", "run"]

  static let aliasLimit = 256
  static let commandLimit = 64
  static let callLimit = 64
  static let timeLimitRange = Duration.seconds(1) ... .seconds(3600)
  /// Bytes of the longest name of a method.
  static let longestMethod = 255

  /// Reads `rpc`. Whether the names in it mean something is checked by who knows lines, sensors and ports.
  init?(from reader: inout MappingReader) {
    self.init()
    bind = Self.bind(&reader)
    alias = Self.aliases(&reader, bind: reader.node.member("bind"), ofDevice: false)
    run = Self.programs(&reader)
    if let limit = reader.duration("run_time_limit", in: Self.timeLimitRange) { runTimeLimit = limit }
    for node in reader.namedEntries("call", atMost: Self.callLimit) {
      checkName(of: node, reader.diagnostics)
      guard var section = node.reader(reader.diagnostics), let call = ScheduledCall(from: &section, name: node.name)
      else { continue }
      calls.append(call)
    }
    guard reader.finish() else { return nil }
  }

  /// Reads `devices.NAME.rpc`.
  init?(ofDevice reader: inout MappingReader) {
    self.init()
    bind = Self.bind(&reader)
    alias = Self.aliases(&reader, bind: reader.node.member("bind"), ofDevice: true)
    let reason = "programs and calls are the gateway's alone and stand under its own rpc"
    guard reader.finish(hints: ["run": reason, "run_time_limit": reason, "call": reason]) else { return nil }
  }

  private static func bind(_ reader: inout MappingReader) -> [String: String] {
    guard var section = reader.mapping("bind", mayBeEmpty: true) else { return [:] }
    var lines: [String: String] = [:]
    for method in bindable { lines[method] = section.nonEmptyString(method) }
    // A person who binds `setLamp` wants an alias.
    let unknown = (section.node.entries ?? []).map(\.name).filter { nearestWord(to: $0, among: bindable) == nil }
    let hint =
      "expected \(listed(bindable, or: true)); another method is an alias: {method: setGpio, params: {pin: LINE}}"
    _ = section.finish(hints: Dictionary(unknown.map { ($0, hint) }, uniquingKeysWith: { first, _ in first }))
    return lines
  }

  // MARK: Aliases

  private static func aliases(
    _ reader: inout MappingReader, bind: YAMLNode?, ofDevice: Bool
  ) -> [String: CommandAlias] {
    var aliases: [String: CommandAlias] = [:]
    let entries = reader.namedEntries("alias", atMost: aliasLimit)
    let names = Set(entries.map(\.name))
    for entry in entries {
      checkMethodName(entry, reader.diagnostics)
      if let bound = bind?.key(entry.name) {
        reader.diagnostics.error(
          at: entry.key,
          "\(entry.path): \(reader.path(of: "bind")) has \(quoted(entry.name)) on line \(bound.line) already")
      }
      guard var section = entry.reader(reader.diagnostics) else { continue }
      section.require("method")
      let method = method(&section, aliases: names, ofDevice: ofDevice)
      let params = section.node("params").map { JSON(bySpellingOf: $0) }
      if section.finish(), let method { aliases[entry.name] = CommandAlias(method: method, params: params) }
    }
    return aliases
  }

  private static func checkMethodName(_ entry: NamedNode, _ diagnostics: Diagnostics) {
    let hasControl = entry.name.unicodeScalars.contains { $0.properties.generalCategory == .control }
    if hasControl || entry.name.utf8.count > longestMethod {
      diagnostics.error(
        at: entry.key,
        "\(quoted(entry.name)) cannot be a method; expected up to \(longestMethod) bytes without control characters")
    }
  }

  private static func method(_ reader: inout MappingReader, aliases: Set<String>, ofDevice: Bool) -> String? {
    let methods = ofDevice ? methods.filter { !gatewayMethods.contains($0) } : methods
    guard let text = reader.string("method") else { return nil }
    if aliases.contains(text) {
      reader.error(
        at: "method",
        "\(reader.path(of: "method")) is \(quoted(text)), which is an alias itself; "
          + "expected the method that does the work, such as setGpio")
      return nil
    }
    if methods.contains(text) { return text }
    if gatewayMethods.contains(text) {
      reader.error(
        at: "method",
        "\(reader.path(of: "method")) is \(quoted(text)), which is the gateway's alone: a device's owner must not "
          + "restart the board or write to a port that others share")
    } else {
      reader.mismatch("method", expected: listed(methods.sorted(), or: true), words: methods)
    }
    return nil
  }

  // MARK: Programs

  private static func programs(_ reader: inout MappingReader) -> [String: [String]] {
    var programs: [String: [String]] = [:]
    let entries = reader.namedEntries("run", atMost: commandLimit)
    guard !entries.isEmpty, var section = reader.mapping("run") else { return [:] }
    for entry in entries {
      checkName(of: entry, reader.diagnostics)
      programs[entry.name] = section.program(entry.name, suchAs: "[/usr/bin/mmcli, -m, \"0\", -r]")
    }
    return programs
  }
}
