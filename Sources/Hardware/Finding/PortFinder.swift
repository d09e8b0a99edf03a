/// Opens a port's line wherever it is: finds the node, keeps one device for one port, and opens it.
public final class PortFinder: Sendable {
  let claims = PortClaims()
  private let inventory: TTYInventory
  private let openLine: SerialPort.Opener

  /// - Parameter open: Opens a node, or what is no device here.
  public convenience init(open: @escaping SerialPort.Opener = openStream) { self.init(TTYInventory(), open: open) }

  init(_ inventory: TTYInventory, open: @escaping SerialPort.Opener) {
    self.inventory = inventory
    openLine = open
  }

  /// The opener of one port.
  public func opener(for port: String) -> SerialPort.Opener {
    // Typed throws are not inferred for a closure.
    { [self] (options: SerialOptions) throws(PortError) -> any ByteStream in try open(options, for: port) }
  }

  /// - Throws: `PortError`: `.absent`, `.ambiguous`, `.claimed`, `.gone`, and what opening the node throws.
  private func open(_ options: SerialOptions, for port: String) throws(PortError) -> any ByteStream {
    guard let place = try place(of: options.location) else { return try openLine(options) }
    let claim: PortClaims.Claim
    switch claims.take(place.number, place.directory, for: port) {
    case .success(let taken): claim = taken
    case .failure(let holder): throw .claimed(options.location, place.node, by: holder.port)
    }
    var found = options
    found.location = .path(place.node)
    do throws(PortError) {
      let line = try openLine(found)
      guard isStill(place, line, options.location) else {
        line.close()
        throw .exchanged(options.location, place.node)
      }
      return ClaimedLine(line) { [claims] in claims.release(claim) }
    } catch {
      claims.release(claim)
      throw error
    }
  }

  private struct Place {
    let node: String
    let number: DeviceNumber
    let directory: String?
  }

  /// - Returns: `nil` where it is no device that is there: opening it says what is wrong, or needs no device.
  private func place(of location: PortLocation) throws(PortError) -> Place? {
    switch location {
    case .path(let path):
      guard let node = KernelTree.resolved(path), let number = DeviceNumber(ofNode: node) else { return nil }
      return Place(node: node, number: number, directory: inventory.directory(number))
    case .match(let match):
      let device = try inventory.device(match)
      return Place(node: device.node, number: device.number, directory: device.directory)
    case .tcp: return nil
    }
  }

  /// Whether what was opened is what was found. From now on it stays so: a number in use is not given away.
  private func isStill(_ place: Place, _ line: any ByteStream, _ location: PortLocation) -> Bool {
    guard let number = DeviceNumber(ofDescriptor: line.descriptor) else { return true }
    guard number == place.number else { return false }
    guard case .match(let match) = location else { return true }
    return inventory.device(number).map(match.fits) ?? false
  }
}

extension TTYInventory {
  /// The one device that fits.
  ///
  /// - Throws: `PortError`: `.absent`, `.ambiguous`.
  func device(_ match: PortMatch) throws(PortError) -> TTYDevice {
    let devices = devices()
    let fitting = devices.filter(match.fits)
    guard let device = fitting.first else { throw .absent(match, among: devices) }
    guard fitting.count == 1 else { throw .ambiguous(match, fitting) }
    return device
  }

  /// A device's own in sysfs; `nil` for a pseudo-terminal.
  func directory(_ number: DeviceNumber) -> String? { KernelTree.resolved("\(roots.sysfs)/dev/char/\(number)") }

  /// Where the line of a port is now; not for a serial server. Reads sysfs: not on the loop.
  ///
  /// - Throws: `PortError`: `.absent`, `.ambiguous`.
  public func node(of location: PortLocation) throws(PortError) -> String {
    guard case .match(let match) = location else { return "\(location)" }
    return try device(match).node
  }
}
