internal import EventLoop
internal import Telemetry

/// From a verified file to a version that has reported itself.
extension UpdateStateMachine {
  mutating func handleInstallation(
    _ event: Event, at now: Duration, using generator: inout some RandomNumberGenerator
  ) {
    switch (state, event) {
    case (.readingOld, .versionRead(let version)):
      runningVersion = version
      record.phase = .updating
      // One that may have been asked with keeps its id: the installer knows what it has installed by it.
      record.id = record.id ?? Self.newID(using: &generator)
      record.fromVersion = version.flatMap { Self.isPlain($0) ? $0 : nil }
      record.boot = settings.boot
      record.boots = 1
      (record.isInstalled, record.isReexecuted, isInstallingTold) = (false, false, false)
      tell(.state(.updating, error: nil))
      line(.notice, "\(package.name) is handed over to the installer; \(version ?? "an unknown version") runs now")
      enter(.saving(then: .requesting))
    case (.requesting, .requested):
      watchedSince = now
      enter(settings.startsInstaller ? .starting : .watching(isFirst: false))
    case (.starting, .installerStarted): enter(.watching(isFirst: false))
    case (.starting, .installerFailed(let words)): enter(.withdrawing("the installer cannot be started: \(words)"))
    case (.watching, .looked(let look, let version)): looked(look, version, at: now)
    case (.withdrawing(let words), .withdrawn(let look)):
      if let result = result(in: look) { return looked(result, runningVersion, at: now) }
      fail(words)
    case (.confirming, .confirmed): confirmed()
    case (.reexecuting, .reexecutionFailed(let words)):
      line(.error, "Baudgate cannot start itself anew: \(words); restart it, so that the new version runs")
      enter(.watching(isFirst: false))
    default: return
    }
  }

  private func result(in look: UpdateFiles.Look) -> InstallResult? {
    look.result.flatMap { $0.id == record.id ? $0 : nil }
  }

  private mutating func looked(_ look: UpdateFiles.Look, _ version: String?, at now: Duration) {
    runningVersion = version
    if let result = result(in: look) { return looked(result, version, at: now) }
    guard now - watchedSince >= settings.timing.takeover else { return enter(.watching(isFirst: false)) }
    let unit = "baudgate-install@\(settings.kind.rawValue)"
    let waited = settings.timing.takeover.forHumans
    enter(
      .withdrawing(
        settings.startsInstaller
          ? "the installer has not begun within \(waited); run baudgate install-package \(settings.kind.rawValue) by hand"
          : "\(unit).path is not active: nothing has begun within \(waited); systemctl enable --now \(unit).path"))
  }

  private mutating func looked(_ result: InstallResult, _ version: String?, at now: Duration) {
    switch result.state {
    case .failed, .rolledBack: fail(result.words)
    case .installing:
      if !isInstallingTold {
        isInstallingTold = true
        line(.info, "\(package.name) is being installed")
      }
      // The installer has limits of its own; this one is for an installer that was lost.
      let limit = settings.timeLimit * 2 + settings.timing.installMargin
      guard now - watchedSince < limit else {
        return fail("the installer has not ended within \(limit.forHumans); its log says how far it came")
      }
      enter(.watching(isFirst: false))
    case .installed: installed(version, at: now)
    }
  }

  private mutating func installed(_ version: String?, at now: Duration) {
    guard record.isInstalled else {
      record.isInstalled = true
      record.confirmFrom = now.wholeMilliseconds
      line(.info, "\(package.name) is installed and has \(settings.confirmWithin.forHumans) to report itself")
      return enter(.saving(then: .watching(isFirst: true)))
    }
    let waited = now - .milliseconds(record.confirmFrom)
    let isLate = waited >= settings.confirmWithin || record.boots > UpdateTiming.bootLimit
    // Late, and with a rollback: the installer is at it already.
    if version == package.version && !(isLate && settings.hasRollback) { return enter(.confirming) }
    if settings.isOwn && settings.startsInstaller && !record.isReexecuted && !isLate {
      record.isReexecuted = true
      line(.notice, "Baudgate starts itself anew, so that \(package.name) runs")
      return enter(.saving(then: .reexecuting))
    }
    let patience = settings.hasRollback ? settings.timeLimit + settings.timing.installMargin : .zero
    guard isLate, waited >= settings.confirmWithin + patience || !settings.hasRollback else {
      return enter(.watching(isFirst: false))
    }
    let reports = version.map { "still reports \(quoted($0.utf8))" } ?? "nothing reports a version"
    let time =
      record.boots > UpdateTiming.bootLimit
      ? "after \(record.boots - 1) restarts of the machine" : "after \(settings.confirmWithin.forHumans)"
    fail("installed, but \(reports) \(time)")
  }

  private mutating func confirmed() {
    let running = UpdateRecord.Running(title: package.title, version: package.version)
    let confirmed = record
    record = UpdateRecord()
    record.phase = .updated
    record.package = confirmed.package
    record.boot = settings.boot
    record.running = running
    runningVersion = running.version
    tell(.state(.updated, error: ""))
    tell(.current(title: running.title, version: running.version))
    line(.notice, "\(package.name) runs")
    enter(.saving(then: .cleaning))
  }

  static func newID(using generator: inout some RandomNumberGenerator) -> String {
    let digits = Array("0123456789abcdef".utf8)
    let bytes = (0..<32).map { _ in digits[Int.random(in: 0..<16, using: &generator)] }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// As the installer takes it.
  private static func isPlain(_ text: String) -> Bool {
    text.utf8.count <= UpdatePackage.textLimit && oneLine(text) == text
  }
}
