public import YAML

extension RecoveryStep {
  /// The most steps of one ladder.
  public static let limit = 8
  /// `after` of `server.unreachable`.
  public static let unreachableRange = Duration.seconds(60) ... .seconds(7 * 24 * 3600)
  /// `after` of `ports.NAME.silent`.
  public static let silentRange = Duration.seconds(10) ... .seconds(7 * 24 * 3600)

  /// Reads the list of steps under `key`, `[{after: 30m, run: NAME}]`. Whether a name in it means something is checked by
  /// who knows the programs.
  ///
  /// - Returns: The steps by time; none where there are none. What is wrong goes to the reader's diagnostics.
  public static func steps(
    _ key: String, from reader: inout MappingReader, in range: ClosedRange<Duration>
  ) -> [RecoveryStep] {
    guard let node = reader.node(key) else { return [] }
    guard case .sequence(let items) = node.value else {
      reader.mismatch(key, expected: "a list of steps such as [{after: 30m, run: reboot}]")
      return []
    }
    let path = reader.path(of: key)
    guard items.count <= limit else {
      reader.error(at: key, "\(path) has \(items.count) steps; at most \(limit) are possible")
      return []
    }
    var steps: [RecoveryStep] = []
    for (index, item) in items.enumerated() {
      // A reader of its own: no secret stands in here, whatever may stand around it.
      guard var entry = MappingReader(item, path: "\(path)[\(index)]", diagnostics: reader.diagnostics),
        let step = RecoveryStep(from: &entry, in: range)
      else { continue }
      if let last = steps.last, step.after <= last.after {
        entry.error(
          at: "after",
          "\(entry.path(of: "after")) is \(quoted(step.after.configured)), but the step before it comes after "
            + "\(last.after.configured); expected the steps in the order of their time")
      }
      steps.append(step)
    }
    return steps
  }

  private init?(from reader: inout MappingReader, in range: ClosedRange<Duration>) {
    reader.require("after")
    let after = reader.duration("after", in: range)
    let run = reader.requiredString("run")
    guard reader.finish(), let after, let run else { return nil }
    self.init(after: after, run: run)
  }
}
