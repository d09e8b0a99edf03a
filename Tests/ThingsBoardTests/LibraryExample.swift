import EventLoop
import Telemetry
import ThingsBoard

/// A device of its own: provisioned, reporting a temperature, carrying out commands until one says `stop`.
func livePump(on loop: EventLoop, at url: String) async throws {
  let server = ServerOptions(url: try ServerURL(url))

  // Once in a device's life. Keep the proposed token on disk before you ask: if the answer is lost, `isKnown` tells
  // whether the device exists by now, and asking again would be refused for ever.
  let provisioning = try HTTPProvisioningAPI(on: loop, server: server, userAgent: "pump/1.0")
  let request = ProvisionRequest(
    deviceName: "pump-7", key: Secret("the profile's key"), secret: Secret("the profile's secret"),
    token: Secret("20 or more random characters"))
  let token: Secret
  switch try await provisioning.provision(request) {
  case .success(let given): token = given
  case .unusable(let type): return print("the device profile gives \(type) credentials, which HTTP cannot use")
  case .notFound(let words), .failure(let words): return print("not provisioned: \(words)")
  }

  // Each time it runs. `appendValues` spells values so that ThingsBoard keeps their types.
  let device = try HTTPDeviceAPI(on: loop, server: server, token: token, userAgent: "pump/1.0")
  var values: [UInt8] = []
  let readings = [Reading(try Key("temperature"), .double(21)), Reading(try Key("running"), .bool(true))]
  guard appendValues(readings, to: &values, refused: { print("\($0.key) is not sent: \($1)") }) > 0 else { return }
  try await device.postTelemetry(
    TelemetryBatch([.init(timestamp: CaptureTime.now().milliseconds, values: values)]))

  // One long poll after the other; `nil` is the end of one without a command.
  while !Task.isCancelled {
    do throws(DeviceAPIError) {
      guard let command = try await device.pollCommand(for: LongPoll.longest) else { continue }
      let isKnown = ["start", "stop"].contains(command.method)
      try await device.reply(.object([.init("done", .bool(isKnown))]), to: command.id)
      if command.method == "stop" { return }
    } catch {
      print("\(url) \(error)")
      try await loop.sleep(for: error.retryAfter ?? .seconds(5))
    }
  }
}
