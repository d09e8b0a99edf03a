internal import Synchronization

/// Packages: ThingsBoard's own, contract.md section 8, and files beside it. All of it may be called from any thread.
extension DeviceServer {
  /// Assigns a package instead of the one of its kind, as a person does: its shared attributes are set, those of the one
  /// before that it has not are deleted, and open polls end with the change.
  ///
  /// - Returns: Whether there was room.
  @discardableResult
  public func assign(_ package: ServedPackage, token: String) -> Bool {
    let hasRoom = update { state, _ in
      guard state.hasRoom(for: token) else { return false }
      state.devices[token, default: DeviceMemory()].packages[package.kind] = package
      return true
    }
    guard hasRoom, setShared(package.attributes(at: Self.now), token: token) else { return false }
    let kept = Set(package.attributes(at: Self.now).map(\.key))
    deleteSharedAttributes(ServedPackage.attributeNames(package.kind).filter { !kept.contains($0) }, token: token)
    return true
  }

  /// Takes the assignment of a kind back: its shared attributes are deleted.
  public func unassign(_ kind: ServedPackage.Kind, token: String) {
    update { state, _ in state.devices[token]?.packages[kind] = nil }
    deleteSharedAttributes(ServedPackage.attributeNames(kind), token: token)
  }

  /// Puts a file under `/packages/NAME`, instead of the one there; `nil` removes it.
  ///
  /// - Parameter name: Without a slash.
  public func offer(_ file: ServedFile?, as name: String) {
    update { state, _ in
      if file == nil || state.files[name] != nil || state.files.count < ServerState.fileLimit {
        state.files[name] = file
      }
    }
  }

  /// The URL of a file that is offered.
  public func packageURL(_ name: String) -> String { "\(url)/packages/\(name)" }

  /// `GET /{token}/firmware` and `/software`.
  func package(_ request: DeviceRequest) -> ServerAnswer {
    let route = request.route
    guard let title = route.query(request.query, "title"), let version = route.query(request.query, "version"),
      let kind = route.packageKind
    else { return .spring(400, "Bad Request", path: request.path) }
    // One that is elsewhere has no bytes here.
    guard let package = state.withLock({ $0.devices[route.token]?.packages[kind] }), package.url == nil else {
      return ServerAnswer(status: 404)
    }
    guard package.title == title, package.version == version else { return ServerAnswer(status: 400) }
    let size = route.query(request.query, "size").flatMap { Int($0) } ?? 0
    let chunk = route.query(request.query, "chunk").flatMap { Int($0) } ?? 0
    guard size >= 0, chunk >= 0 else { return ServerAnswer(status: 400) }
    let name = package.fileName
    return ServerAnswer(
      status: 200, body: package.content.part(chunk, of: size), contentType: package.contentType,
      headers: ["Content-Disposition": "attachment;filename=\(name)", "x-filename": name])
  }

  /// `GET /packages/{name}`
  func file(_ request: DeviceRequest) -> ServerAnswer {
    guard let file = state.withLock({ $0.files[request.route.fileName ?? ""] }) else {
      return .spring(404, "Not Found", path: request.path)
    }
    return file.answer(range: request.range, ifRange: request.ifRange)
  }

  /// `POST /api/packages/{token}/firmware?title=…`: the bytes are the body.
  func assign(_ request: DeviceRequest) -> ServerAnswer? {
    let route = request.route
    func query(_ name: String) -> String? { route.query(request.query, name) }
    guard let kind = route.packageKind, let title = query("title"), let version = query("version") else { return nil }
    var package = ServedPackage(kind, title: title, version: version, content: request.body)
    package.tag = query("tag") ?? ""
    package.url = query("url")
    package.signature = query("signature")
    if let name = query("file_name") { package.fileName = name }
    if let checksum = query("checksum") {
      package.checksum = checksum
      package.checksumAlgorithm = query("checksum_algorithm") ?? "SHA256"
    }
    return assign(package, token: route.token) ? .done : nil
  }
}

extension [UInt8] {
  /// Part `number` of `size` bytes each; all of it where that is 0, nothing behind the end.
  fileprivate func part(_ number: Int, of size: Int) -> [UInt8] {
    guard size > 0 else { return self }
    let (start, overflow) = number.multipliedReportingOverflow(by: size)
    guard !overflow, start < count else { return [] }
    return Array(self[start...].prefix(size))
  }
}
