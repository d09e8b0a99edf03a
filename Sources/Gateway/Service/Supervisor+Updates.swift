internal import Configuration
internal import EventLoop
internal import Logging
internal import Telemetry
internal import ThingsBoard

// MARK: - Packages the server assigns
extension Supervisor {
  /// Makes the updaters what the configuration says, once there is a way to the server.
  func changeUpdaters() async {
    guard let link = await own?.link else { return }
    for kind in PackageKind.allCases {
      switch (configuration.ota[kind], updaters[kind]) {
      case (nil, nil): continue
      case (nil, let known?):
        updaters[kind] = nil
        await known.stop()
      case (let options?, let known?):
        await known.use(link.api)
        await known.update(options: options)
      case (let options?, nil):
        let updater = updater(of: kind, options, link.api)
        updaters[kind] = updater
        await updater.start()
      }
      if let values = await link.sharedValues { await updaters[kind]?.assignmentMayHaveChanged(values: values) }
    }
  }

  private func updater(of kind: PackageKind, _ options: PackageOptions, _ api: any DeviceAPI) -> Updater {
    let (loop, server) = (loop, configuration.server)
    return Updater(
      on: loop, kind: kind, options: options, api: api,
      files: UpdateFiles(directory: "\(resources.stateDirectory)/updates", kind: kind), pool: updatePool,
      installer: .here(kind, configuration: source.path, stateDirectory: resources.stateDirectory),
      verifier: PackageIntegrity(),
      urlSource: { url throws(DeviceAPIError) in
        let download = PackageDownload(on: loop, server: server, userAgent: Version.userAgent)
        return ExternalPackage(on: loop, url: url, limit: Int64(options.maxSize)) {
          url, offset, validator, limit, intake throws(DownloadFault<Never>) in
          try await download.fetch(url, from: offset, validator: validator, limit: limit, to: intake)
        }
      },
      log: log,
      report: { [weak self] readings in
        self?.assumeIsolated { $0.own?.assumeIsolated { $0.record(readings, at: .now()) } }
      },
      onReexecute: reexecute)
  }

  func stopUpdaters() async {
    for updater in updaters.values { await updater.stop() }
  }
}
