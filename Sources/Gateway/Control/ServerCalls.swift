internal import Telemetry
internal import ThingsBoard

/// What a person asks the server from the command line, whether a daemon runs or not.
enum ServerCalls {
  /// A client-side RPC.
  static func call(_ method: String, _ params: JSON, _ api: any DeviceAPI) async -> ControlAnswer {
    do throws(DeviceAPIError) {
      return .document(.object([.init("result", try await api.call(method, params: params))]))
    } catch { return .failure("the server \(error.message)") }
  }

  /// - Returns: Why there is nothing to do without `--force`; `nil` where provisioning is due.
  static func whyNotToProvision(_ identity: Identity, hasLink: Bool) async -> ControlAnswer? {
    // Its failure tells that the token is given.
    guard identity.isProvisioned else { return nil }
    let words =
      hasLink
      ? "there is a credential already, which is in use; --force asks for another one"
      : "provisioning is under way and goes on by itself; `baudgate status` tells how"
    return .document(.object([.init("result", .string(words))]))
  }
}

extension ControlAnswer {
  init(_ result: Result<String, DeviceAPIError>) {
    switch result {
    case .success(let words): self = .document(.object([.init("result", .string(words))]))
    case .failure(let error): self = .failure("the server \(error.message)")
    }
  }
}
