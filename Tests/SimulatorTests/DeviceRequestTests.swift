import Foundation
import Testing

@testable import Simulator

/// Calls, claims and provisioning: contract.md sections 5 to 7.
@Suite struct DeviceRequestTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let path: String
    let body: String
    let status: Int
    let answer: String

    init(_ sentence: String, _ path: String, _ body: String, _ status: Int, _ answer: String) {
      testDescription = sentence
      self.path = path
      self.body = body
      self.status = status
      self.answer = answer
    }
  }

  private static func options() -> ServerOptions {
    var options = ServerOptions(tokens: ["T"])
    options.callTimeout = .milliseconds(5)
    options.provisioningProfiles = [
      ProvisioningProfile(key: "k", secret: "s"),
      ProvisioningProfile(key: "pre", secret: "s", strategy: .checkPreProvisioned(["boiler": "OLD"])),
      ProvisioningProfile(key: "mqtt", secret: "s", credentialsType: .mqttBasic),
    ]
    return options
  }

  static let calls = [
    Row("A rule's answer is the call's", "/api/v1/T/rpc", #"{"method":"time","params":{}}"#, 200, #"{"now":1}"#),
    Row("An error is an answer", "/api/v1/T/rpc", #"{"method":"bad","params":1}"#, 200, #"{"error":"no"}"#),
    Row("An empty answer is null", "/api/v1/T/rpc", #"{"method":"void","params":null}"#, 200, "null"),
    Row("Without a rule there is a 408", "/api/v1/T/rpc", #"{"method":"x","params":{}}"#, 408, ""),
    Row("Without params there is an empty 500", "/api/v1/T/rpc", #"{"method":"time"}"#, 500, ""),
    Row("Without a method too", "/api/v1/T/rpc", #"{"params":{}}"#, 500, ""),
    Row("A list is an empty 500", "/api/v1/T/rpc", "[]", 500, ""),
  ]

  static let claims = [
    Row("A claim is received", "/api/v1/T/claim", #"{"secretKey":"c","durationMs":5}"#, 200, ""),
    Row("Its body is optional", "/api/v1/T/claim", "", 200, ""),
    Row("A null secret is an empty 500", "/api/v1/T/claim", #"{"secretKey":null}"#, 500, ""),
    Row("A null duration too", "/api/v1/T/claim", #"{"durationMs":null}"#, 500, ""),
    Row("A list is a 500 with words", "/api/v1/T/claim", "[]", 500, "Can't parse value: []"),
  ]

  static let provisioning = [
    Row(
      "A token of the device's own is honoured", "/api/v1/provision",
      #"{"deviceName":"d","provisionDeviceKey":"k","provisionDeviceSecret":"s","token":"OWN"}"#, 200,
      #"{"credentialsValue":"OWN","credentialsType":"ACCESS_TOKEN","status":"SUCCESS"}"#),
    Row(
      "A token another device has is a failure", "/api/v1/provision",
      #"{"deviceName":"d","provisionDeviceKey":"k","provisionDeviceSecret":"s","token":"T"}"#, 200,
      #"{"errorMsg":"Failed to provision device!","status":"FAILURE"}"#),
    Row(
      "A wrong secret is not found", "/api/v1/provision",
      #"{"deviceName":"d","provisionDeviceKey":"k","provisionDeviceSecret":"x"}"#, 200,
      #"{"errorMsg":"Provision data was not found!","status":"NOT_FOUND"}"#),
    Row(
      "A wrong key too", "/api/v1/provision",
      #"{"deviceName":"d","provisionDeviceKey":"x","provisionDeviceSecret":"s"}"#, 200,
      #"{"errorMsg":"Provision data was not found!","status":"NOT_FOUND"}"#),
    Row(
      "A device registered before gets its old token, whatever it proposes", "/api/v1/provision",
      #"{"deviceName":"boiler","provisionDeviceKey":"pre","provisionDeviceSecret":"s","token":"OWN"}"#, 200,
      #"{"credentialsValue":"OLD","credentialsType":"ACCESS_TOKEN","status":"SUCCESS"}"#),
    Row(
      "One that is not registered fails", "/api/v1/provision",
      #"{"deviceName":"d","provisionDeviceKey":"pre","provisionDeviceSecret":"s"}"#, 200,
      #"{"errorMsg":"Failed to provision device!","status":"FAILURE"}"#),
    Row(
      "Credentials for MQTT are an object", "/api/v1/provision",
      #"{"deviceName":"d","provisionDeviceKey":"mqtt","provisionDeviceSecret":"s","clientId":"c","username":"u"}"#, 200,
      #"{"credentialsValue":{"clientId":"c","userName":"u","password":null},"credentialsType":"MQTT_BASIC","status":"SUCCESS"}"#
    ),
    Row(
      "X.509 when asked for", "/api/v1/provision",
      #"{"deviceName":"d","provisionDeviceKey":"k","provisionDeviceSecret":"s","credentialsType":"X509_CERTIFICATE","hash":"h"}"#,
      200, #"{"credentialsValue":"h","credentialsType":"X509_CERTIFICATE","status":"SUCCESS"}"#),
    Row(
      "Unknown credentials are an empty 500", "/api/v1/provision",
      #"{"provisionDeviceKey":"k","provisionDeviceSecret":"s","credentialsType":"FOO"}"#, 500, ""),
    Row(
      "A null field is an empty 500", "/api/v1/provision",
      #"{"deviceName":null,"provisionDeviceKey":"k","provisionDeviceSecret":"s"}"#, 500, ""),
    Row("A list is a 500 with words", "/api/v1/provision", "[]", 500, "Can't parse value: []"),
  ]

  @Test(arguments: calls + claims + provisioning)
  func answers(_ row: Row) async throws {
    try await ServerBench.run(Self.options()) { bench in
      bench.server.setCallAnswers(["time": #"{"now":1}"#, "bad": #"{"error":"no"}"#, "void": ""])
      let answer = try await bench.post(row.path, row.body)
      #expect(answer.status == row.status)
      #expect(answer.body == row.answer)
    }
  }

  @Test("Calls and claims are recorded as they came")
  func records() async throws {
    try await ServerBench.run(Self.options()) { bench in
      bench.server.setCallHandler { method, params in method == "echo" ? params : nil }
      #expect(try await bench.post("/api/v1/T/rpc", #"{"method":"echo","params":{"a":1.0}}"#).body == #"{"a":1.0}"#)
      _ = try await bench.post("/api/v1/T/claim", #"{"secretKey":"c","durationMs":60000}"#)
      _ = try await bench.post("/api/v1/T/claim", "{}")
      #expect(bench.server.calls == [ClientCall(token: "T", method: "echo", params: #"{"a":1.0}"#)])
      #expect(
        bench.server.claims == [
          ClaimRequest(token: "T", secret: "c", duration: 60_000), ClaimRequest(token: "T", secret: "", duration: 0),
        ])
    }
  }

  @Test("Provisioning makes a device once; a second call fails for ever, until the device is deleted")
  func once() async throws {
    try await ServerBench.run(Self.options()) { bench async throws in
      let body = #"{"deviceName":"d","provisionDeviceKey":"k","provisionDeviceSecret":"s","token":"OWN"}"#
      #expect(try await bench.get("/api/v1/OWN/attributes").status == 401)
      #expect(try await bench.post("/api/v1/provision", body).body.contains("SUCCESS"))
      #expect(try await bench.post("/api/v1/provision", body).body.contains("FAILURE"))
      #expect(try await bench.get("/api/v1/OWN/attributes").status == 200)
      #expect(
        bench.server.provisionedDevices == [
          ProvisionedDevice(name: "d", token: "OWN", credentialsType: .accessToken, choseToken: true)
        ])
      bench.server.deleteDevice(token: "OWN")
      #expect(try await bench.get("/api/v1/OWN/attributes").status == 401)
      #expect(try await bench.post("/api/v1/provision", body).body.contains("SUCCESS"))
    }
  }

  @Test("A name and a token are made up where there are none")
  func madeUp() async throws {
    try await ServerBench.run(Self.options()) { bench async throws in
      let body = #"{"provisionDeviceKey":"k","provisionDeviceSecret":"s"}"#
      for _ in 0..<2 { #expect(try await bench.post("/api/v1/provision", body).body.contains("SUCCESS")) }
      let devices = bench.server.provisionedDevices
      #expect(Set(devices.map(\.name)).count == 2)
      #expect(Set(devices.map(\.token)).count == 2)
      #expect(devices.allSatisfy { $0.name.count == 20 && $0.token.count == 20 && !$0.choseToken })
      #expect(try await bench.get("/api/v1/\(devices[0].token)/attributes").status == 200)
    }
  }

  @Test("The answer to a missing field repeats the body, the secret included")
  func leaks() async throws {
    try await ServerBench.run(Self.options()) { bench in
      let answer = try await bench.post("/api/v1/provision", #"{"deviceName":"d","provisionDeviceSecret":"hush"}"#)
      #expect(answer.status == 500)
      #expect(answer.body.contains("Failed to find the field provisionDeviceKey in JSON body"))
      #expect(answer.body.contains("hush"))
    }
  }

  @Test("With a profile and no tokens only provisioned devices are known")
  func onlyProvisioned() async throws {
    var options = Self.options()
    options.tokens = nil
    try await ServerBench.run(options) { bench async throws in
      #expect(try await bench.get("/api/v1/T/attributes").status == 401)
      #expect(try await bench.get("/api/v1/OLD/attributes").status == 200)
    }
  }
}
