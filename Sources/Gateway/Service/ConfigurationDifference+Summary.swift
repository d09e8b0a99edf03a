extension ConfigurationDifference {
  /// What differs, in words for the log; names and options, never values. Empty exactly where nothing does.
  var summary: [String] {
    var words: [String] = []
    if server { words.append("server changed, every connection made anew") }
    if identity { words.append("device changed, the gateway's connection made anew") }
    words += told("device", newDevices, goneDevices, changedDevices)
    words += replacedDevices.map { "device \($0) connected anew" }
    words += newPorts.map { "port \($0) opened" } + gonePorts.map { "port \($0) closed" }
    words += reopenedPorts.map { "port \($0) re-opened" } + silentPorts.map { "silent of port \($0) changed" }
    words += busPorts.map { "gap, timeout or retries of port \($0) changed" }
    words += told("sensor", newSensors, goneSensors, changedSensors)
    if newSensors.isEmpty && goneSensors.isEmpty && changedSensors.isEmpty {
      words += sensorPorts.map { "order of the sensors on port \($0) changed" }
    }
    words += told("line", newLines, goneLines, changedLines)
    if interlocks { words.append("gpio.interlocks changed") }
    let tellsLines = interlocks || !newLines.isEmpty || !goneLines.isEmpty || !changedLines.isEmpty
    // What lines changed is told already.
    words += Section.allCases.filter { sections.contains($0) && !($0 == .gpio && tellsLines) }.map { section in
      section == .gpio ? "order of the lines changed" : "\(section.rawValue) changed"
    }
    if words.isEmpty && commands { words.append("what commands may name changed") }
    words += restarts.map { "\($0.rawValue) changed: takes effect at the next start" }
    return words
  }

  private func told(_ what: String, _ new: [String], _ gone: [String], _ changed: [String]) -> [String] {
    new.map { "\(what) \($0) new" } + gone.map { "\(what) \($0) gone" } + changed.map { "\(what) \($0) changed" }
  }
}
