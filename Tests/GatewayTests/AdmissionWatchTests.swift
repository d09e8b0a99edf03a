import EventLoop
import Synchronization
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct AdmissionWatchTests {
  /// Fails with what it is told to.
  private final class Server: DeviceAPI {
    let failure = Mutex<DeviceAPIError?>(nil)
    func fail(_ code: DeviceAPIError.Code?) { failure.withLock { $0 = code.map { DeviceAPIError($0, "…") } } }
    func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {
      if let error = failure.withLock({ $0 }) { throw error }
    }
    func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) {}
    func traffic() async -> Traffic { Traffic() }
  }

  static let codes: [(DeviceAPIError.Code, Int)] = [
    (.unauthorized, 1), (.deviceDeleted, 1), (.unreachable, 0), (.serverError, 0), (.notThingsBoard, 0),
  ]

  /// Each time it was refused and is taken again, and never else: what is sent anew then costs traffic.
  @Test(arguments: codes) func onceForEachReturn(_ code: DeviceAPIError.Code, _ returns: Int) async {
    let server = Server()
    let count = Mutex(0)
    let api = AdmissionWatch(server)
    api.onReturn { count.withLock { $0 += 1 } }
    for (failure, expected) in [(nil, 0), (code, 0), (code, 0), (nil, returns), (nil, returns), (code, returns)] {
      server.fail(failure)
      try? await api.postTelemetry(TelemetryBatch([]))
      #expect(count.withLock { $0 } == expected)
    }
    try? await api.postAttributes([])
    #expect(count.withLock { $0 } == 2 * returns, "whatever request it is")
  }

  static let contacts: [(DeviceAPIError, ServerContact?)] =
    [.poison, .tooLarge, .unauthorized, .deviceDeleted, .noAnswer].map { (DeviceAPIError($0, "…"), .reached) }
    + [.unreachable, .unavailable, .serverError, .notFound, .redirected, .notThingsBoard, .certificate].map {
      (DeviceAPIError($0, "…", status: 503), .unreached($0))
    }
    + [.unsupported, .cancelled].map { (DeviceAPIError($0, "…"), nil) }
    + [(DeviceAPIError(.unavailable, "…", status: 429), .reached)]

  /// Each request's end, once: whether ThingsBoard was there.
  @Test(arguments: contacts) func whetherTheServerWasReached(_ error: DeviceAPIError, _ contact: ServerContact?) async {
    let server = Server()
    let contacts = Mutex<[ServerContact]>([])
    let api = AdmissionWatch(server)
    api.onContact { contact in contacts.withLock { $0.append(contact) } }
    server.failure.withLock { $0 = error }
    try? await api.postTelemetry(TelemetryBatch([]))
    #expect(contacts.withLock { $0 } == (contact.map { [$0] } ?? []))
    server.fail(nil)
    try? await api.postTelemetry(TelemetryBatch([]))
    #expect(contacts.withLock { $0.last } == .reached)
    api.onContact(nil)
    try? await api.postTelemetry(TelemetryBatch([]))
    #expect(contacts.withLock { $0.count } == (contact == nil ? 1 : 2))
  }

  /// What the transport cannot do, it cannot do through it, either.
  @Test func nothingIsAdded() async {
    let api = AdmissionWatch(Server())
    #expect(!api.hasDownlink)
    await #expect(throws: DeviceAPIError.unsupported) { try await api.pollCommand(for: .seconds(1)) }
    await #expect(throws: DeviceAPIError.unsupported) { try await api.call("m", params: .null) }
  }
}
