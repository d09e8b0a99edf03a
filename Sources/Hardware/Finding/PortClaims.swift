internal import Synchronization

/// Which port has which device, so that a path, a link and a match of one device are seen as one.
final class PortClaims: Sendable {
  struct Claim: Sendable, Equatable {
    let port: String
    let number: DeviceNumber
    /// In sysfs; `nil` for a pseudo-terminal, which has none.
    let directory: String?
    fileprivate let id: UInt64
  }

  private let state = Mutex((claims: [Claim](), nextID: UInt64(0)))

  var all: [Claim] { state.withLock { $0.claims } }

  /// - Returns: The claim, or who has the device.
  func take(_ number: DeviceNumber, _ directory: String?, for port: String) -> Result<Claim, Holder> {
    state.withLock { state in
      if let other = state.claims.first(where: { $0.number == number && $0.port != port }) {
        return .failure(Holder(port: other.port))
      }
      let claim = Claim(port: port, number: number, directory: directory, id: state.nextID)
      state.nextID &+= 1
      state.claims.append(claim)
      return .success(claim)
    }
  }

  func release(_ claim: Claim) { state.withLock { $0.claims.removeAll { $0.id == claim.id } } }

  struct Holder: Error { let port: String }
}
