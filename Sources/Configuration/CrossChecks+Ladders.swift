internal import Hardware
internal import YAML

/// `server.unreachable` and `ports.NAME.silent`: the programs and the words they name.
extension CrossChecks {
  /// A board that reboots sooner than somebody can log in and change the file cannot be mended any more.
  private static let leastUptime = Duration.seconds(600)

  func checkLadders() {
    let programs = section("rpc", "run")?.entries?.map(\.name) ?? []
    for (index, step) in (section("server", "unreachable")?.items ?? []).prefix(RecoveryStep.limit).enumerated() {
      let path = "server.unreachable[\(index)]"
      check(step, path, words: ["reboot"], programs)
      guard let after = hasty(step, RecoveryStep.unreachableRange) else { continue }
      diagnostics.error(
        at: after,
        "\(path).after is \(quoted(after.text ?? "")); expected \(Self.leastUptime.configured) or more for reboot: a "
          + "board that reboots all the time cannot be mended")
    }
    for port in ports.entries {
      for (index, step) in (port.node.value.member("silent")?.items ?? []).prefix(RecoveryStep.limit).enumerated() {
        let path = "\(port.node.path).silent[\(index)]"
        check(step, path, words: ["reopen", "usb-reset", "reboot"], programs)
        guard let after = hasty(step, RecoveryStep.silentRange) else { continue }
        diagnostics.warning(
          at: after,
          "\(path).after is \(quoted(after.text ?? "")): a sensor that is broken will have the board rebooted; better "
            + "\(Self.leastUptime.configured) or more")
      }
    }
  }

  private func check(_ step: YAMLNode, _ path: String, words: [String], _ programs: [String]) {
    guard let node = step.member("run"), let name = node.text, !name.isEmpty, !node.isNull else { return }
    guard !words.contains(name), !programs.contains(name) else { return }
    let possible = diagnostics.errorCount < Diagnostics.limit ? words + programs : []
    let near = nearestWord(to: name, among: possible).map { "; did you mean \(quoted($0))?" } ?? ""
    let known = programs.isEmpty ? "which has none" : "which has \(listed(programs))"
    diagnostics.error(
      at: node,
      "\(path).run is \(quoted(name)); expected \(words.joined(separator: ", ")) or a name of rpc.run, \(known)\(near)")
  }

  /// Where the time stands of a step that reboots too soon; `nil` also where it is outside of `range`, which is told.
  private func hasty(_ step: YAMLNode, _ range: ClosedRange<Duration>) -> YAMLNode? {
    guard step.member("run")?.text == "reboot", let node = step.member("after"),
      let after = node.text.flatMap(Duration.init(configured:)), range.contains(after), after < Self.leastUptime
    else { return nil }
    return node
  }
}
