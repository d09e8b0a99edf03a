/// What the server may set: the whole of it, as data.
///
/// A path's parts are the keys of the file from its root on; `*` stands for a name the file has given.
enum OverlayRules {
  /// What may stand in an overlay, with all that is below it.
  static let settable: [[String]] = [
    ["sensors", "*", "enabled"],
    ["sensors", "*", "interval"],
    ["sensors", "*", "filters"],
    ["sensors", "*", "scale"],
    ["sensors", "*", "offset"],
    ["sensors", "*", "units"],
    ["sensors", "*", "stale_after"],
    ["sensors", "*", "report"],
    ["upload"],
    ["downlink", "rpc"],
    ["downlink", "shared_attributes"],
    ["log", "level"],
    ["rpc", "call", "*", "interval"],
    ["queue", "persist_after"],
  ]

  /// What stands in a file and never in an overlay, by why; those below a path are meant as well.
  static let fixed: [(reason: String, paths: [[String]])] = [
    (
      "credentials and the way to the server stay in the file",
      [["server"], ["device"], ["devices"], ["claim"], ["token"], ["token_file"], ["credential"], ["provision"]]
    ),
    (
      "what runs on the board stays in the file",
      [
        ["ota"], ["rpc", "run"], ["rpc", "run_time_limit"], ["rpc", "bind"], ["rpc", "alias"],
        ["rpc", "call", "*", "method"], ["rpc", "call", "*", "params"], ["rpc", "call", "*", "values"],
      ]
    ),
    (
      "where Baudgate keeps its files, and how much, stays in the file",
      [
        ["state_directory"], ["runtime_directory"], ["control"], ["queue", "max_size"], ["queue", "memory"],
        ["queue", "hot_directory"],
      ]
    ),
    (
      "what is wired to the board, and how it is read, stays in the file",
      [["ports"], ["gpio"]]
        + [
          "port", "protocol", "device", "prefix", "template", "csv", "separator", "key_value", "json", "regex", "types",
          "max_line", "unit", "registers", "preset", "map", "only", "word_order", "byte_order", "max_gap",
          "max_registers", "echo", "timeout",
        ].map { ["sensors", "*", $0] }
    ),
    ("what the board says of itself stays in the file", [["attributes"]]),
  ]

  enum Verdict: Equatable {
    case settable
    /// A part of longer paths.
    case inner
    case fixed(reason: String)
    case unknown
  }

  static func verdict(on path: [String]) -> Verdict {
    if settable.contains(path) { return .settable }
    if settable.contains(where: { $0.starts(with: path) }) { return .inner }
    if let found = fixed.first(where: { $0.paths.contains(path) }) { return .fixed(reason: found.reason) }
    return .unknown
  }

  /// What may follow `path`: keys, or `*` alone.
  static func keys(below path: [String]) -> (settable: [String], fixed: [String]) {
    let settable = next(of: settable, after: path)
    return (settable, next(of: fixed.flatMap(\.paths), after: path).filter { !settable.contains($0) })
  }

  private static func next(of paths: [[String]], after path: [String]) -> [String] {
    var keys: [String] = []
    for longer in paths where longer.count > path.count && longer.starts(with: path) {
      if !keys.contains(longer[path.count]) { keys.append(longer[path.count]) }
    }
    return keys
  }
}
