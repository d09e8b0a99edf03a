internal import ArgumentParser
internal import Foundation
internal import Simulator

struct ServerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server", abstract: "Serve the device API on 127.0.0.1 and print every request.",
    discussion: """
      Stops at Ctrl-C, and then prints how many values each key has.

      Meanwhile curl steers it:

        A=localhost:8080/api T=A1_TEST_TOKEN
        curl $A/rpc/twoway/$T -d '{"method":"getGpio","params":{"pin":1}}'
        curl $A/rpc/oneway/$T -d '{"method":"reboot"}'
        curl $A/plugins/telemetry/$T/SHARED_SCOPE -d '{"interval":"5s"}'
        curl -X DELETE "$A/plugins/telemetry/$T/SHARED_SCOPE?keys=interval"
        curl $A/plugins/telemetry/$T/values/attributes
        curl $A/status

      docs/simulator.md has more.
      """)

  @Option(help: "The port; 0 takes a free one.")
  var port: UInt16 = 8080

  @Option(
    help: ArgumentHelp(
      "A known access token; may be repeated. Without one any token is taken, or with --provision those of provisioned devices.",
      valueName: "token"))
  var token: [String] = []

  @Option(
    help: ArgumentHelp("Let devices provision themselves with this key and secret.", valueName: "key:secret"))
  var provision: ProvisioningKey?

  @Option(
    help: ArgumentHelp(
      "A device registered before, with its token; may be repeated. With one the strategy is \"check pre-provisioned devices\", else \"allow creating new devices\".",
      valueName: "name:token"))
  var preProvisioned: [DeviceToken] = []

  @Option(
    help:
      "The credentials provisioned devices get: ACCESS_TOKEN, MQTT_BASIC or X509_CERTIFICATE. (default: what they ask for)"
  )
  var credentials: CredentialsArgument?

  @Option(
    help: ArgumentHelp(
      "Answer a client-side RPC of this method with this JSON; may be repeated.", valueName: "method=json"))
  var answer: [CallRule] = []

  @Option(
    help: ArgumentHelp("Cut the server off that many seconds after the start, for that long.", valueName: "at:for"))
  var cut: [Cut] = []

  func validate() throws {
    if provision == nil, !preProvisioned.isEmpty || credentials != nil {
      throw ValidationError("--pre-provisioned and --credentials need --provision")
    }
  }

  private var options: ServerOptions {
    var options = ServerOptions(tokens: token.isEmpty ? nil : Set(token))
    if let provision {
      let devices = Dictionary(preProvisioned.map { ($0.name, $0.token) }, uniquingKeysWith: { _, last in last })
      options.provisioningProfiles = [
        ProvisioningProfile(
          key: provision.key, secret: provision.secret,
          strategy: devices.isEmpty ? .allowCreatingNewDevices : .checkPreProvisioned(devices),
          credentialsType: credentials?.type)
      ]
    }
    return options
  }

  func run() async throws {
    let server = DeviceServer(options)
    let answers = Dictionary(answer.map { ($0.method, $0.answer) }, uniquingKeysWith: { _, last in last })
    server.setCallAnswers(answers)
    do { try await server.start(port: port) } catch {
      FileHandle.standardError.write(Data("error: \(error)\n".utf8))
      throw ExitCode.failure
    }
    print("listening on \(server.url)")
    let events = UserEvents(tickEvery: .milliseconds(100), readsKeys: false)
    let start = ContinuousClock.now
    var shown = 0
    loop: for await event in events.events {
      for request in server.requests(after: shown) {
        shown = request.number
        print(RequestText.line(request))
      }
      fflush(nil)
      if event == .stop { break loop }
      let elapsed = ContinuousClock.now - start
      let isCut = cut.contains { $0.contains(elapsed) }
      if isCut, server.isListening {
        await server.cutOff()
        print("cut off")
      } else if !isCut, !server.isListening {
        do {
          try await server.bringBack()
          print("back")
        } catch { print("\(error); trying again") }
      }
    }
    await server.stop()
    for key in server.keys() { print("\(key): \(server.count(of: key)) values") }
    withExtendedLifetime(events) {}
  }
}
