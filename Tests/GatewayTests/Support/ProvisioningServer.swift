import Telemetry
import ThingsBoard

@testable import Gateway

/// Provisions as ThingsBoard does (contract.md §7), and fails as told; used on one loop or thread alone.
final class ProvisioningServer: ProvisioningAPI, @unchecked Sendable {
  enum Strategy: Sendable, CaseIterable {
    case allowCreating, checkPreProvisioned
  }

  /// What happens to a request.
  enum Fault: Sendable, Equatable {
    /// Never arrives.
    case lostRequest
    /// Is carried out; the answer never arrives.
    case lostAnswer
    case answer(ProvisionAnswer)
    case error(DeviceAPIError)
  }

  /// The token the server itself has made for a device registered beforehand.
  static let registeredToken = "registered-beforehand-1"

  let strategy: Strategy
  /// Devices by name, with their tokens.
  var devices: [String: String] = [:]
  /// What happens to the next requests for a device, and to the next proofs.
  var faults: [Fault] = []
  var proofFaults: [DeviceAPIError] = []
  private(set) var requests: [ProvisionRequest] = []
  private(set) var proofs: [Secret] = []
  let asked = Tally()
  let provedOnce = Tally()

  init(_ strategy: Strategy = .allowCreating, registered: [String] = []) {
    self.strategy = strategy
    for name in registered { devices[name] = Self.registeredToken }
  }

  func answer(_ request: ProvisionRequest) -> ProvisionAnswer {
    let name = request.deviceName ?? "made-up-\(devices.count)"
    switch strategy {
    case .allowCreating:
      if devices[name] != nil { return .failure("Failed to provision device!") }
      devices[name] = request.token.reveal()
      return .success(request.token)
    case .checkPreProvisioned:
      return devices[name].map { .success(Secret($0)) } ?? .failure("Failed to provision device!")
    }
  }

  func knows(_ token: Secret) -> Bool { devices.values.contains(token.reveal()) }

  func provision(_ request: ProvisionRequest) async throws(DeviceAPIError) -> ProvisionAnswer {
    requests.append(request)
    asked.add()
    guard !faults.isEmpty else { return answer(request) }
    switch faults.removeFirst() {
    case .lostRequest: throw .down
    case .lostAnswer:
      _ = answer(request)
      throw DeviceAPIError(.unreachable, "did not answer in time")
    case .answer(let scripted): return scripted
    case .error(let error): throw error
    }
  }

  func isKnown(_ token: Secret) async throws(DeviceAPIError) -> Bool {
    proofs.append(token)
    provedOnce.add()
    if !proofFaults.isEmpty { throw proofFaults.removeFirst() }
    return knows(token)
  }
}
