internal import Glibc
internal import Hardware
internal import Logging
internal import Queue
internal import Sensors
internal import ThingsBoard
internal import YAML

extension GatewayConfiguration {
  /// Reads and checks the file at `path`.
  ///
  /// - Parameters:
  ///   - overlay: What the server wants otherwise; goes before the file's own words.
  ///   - surroundings: What the service manager says; the file's own words go before it.
  /// - Returns: The configuration, or everything that is wrong with it.
  public static func load(
    path: String, overlay: ConfigurationOverlay? = nil, in surroundings: Surroundings = .process
  ) -> Result<GatewayConfiguration, ConfigurationErrors> {
    read(path).flatMap { load($0, file: path, overlay: overlay, in: surroundings) }
  }

  /// Reads the file at `path`, unjudged.
  public static func read(_ path: String) -> Result<[UInt8], ConfigurationErrors> {
    do throws(BoundedFile.Failure) { return .success(try BoundedFile(path, atMost: YAMLLimits.size).bytes) } catch {
      let diagnostic = Diagnostic(file: path, line: 0, column: 0, message: "cannot be read: \(error.message)")
      return .failure(ConfigurationErrors(errors: [diagnostic], warnings: []))
    }
  }

  /// Checks `bytes`, the contents of a file called `file`, with `overlay` laid over it.
  public static func load(
    _ bytes: [UInt8], file: String, overlay: ConfigurationOverlay? = nil, in surroundings: Surroundings
  ) -> Result<GatewayConfiguration, ConfigurationErrors> {
    let diagnostics = Diagnostics(file: file)
    diagnostics.library = MapLibrary(beside: file, then: surroundings.mapDirectories)
    var configuration: GatewayConfiguration?
    if let document = YAMLNode.load(bytes, file: file, diagnostics: diagnostics),
      var root = MappingReader(
        overlay?.laid(over: document, diagnostics) ?? document, path: "", diagnostics: diagnostics)
    {
      configuration = GatewayConfiguration(from: &root, in: surroundings)
    }
    guard var configuration, diagnostics.errorCount == 0 else {
      // Never an empty list: a caller that prints it would refuse the file without a word.
      if diagnostics.errorCount == 0 { diagnostics.error(line: 0, column: 0, "cannot be used") }
      return .failure(ConfigurationErrors(errors: diagnostics.errors, warnings: diagnostics.warnings))
    }
    configuration.warnings = diagnostics.warnings.map(\.description)
    return .success(configuration)
  }

  private init?(from root: inout MappingReader, in surroundings: Surroundings) {
    root.require("server", "device")
    var unreachable: [RecoveryStep] = []
    let server = root.section("server", isSecret: true, isRequired: true) {
      ServerOptions(from: &$0, in: surroundings, unreachable: &unreachable)
    }
    let device = root.section("device", isSecret: true, isRequired: true) { DeviceOptions(from: &$0, in: surroundings) }
    let stateDirectory = root.absolutePath("state_directory", suchAs: Self.defaultStateDirectory)
    let runtimeDirectory = root.absolutePath("runtime_directory", suchAs: Self.defaultRuntimeDirectory)
    let ports = Ports(from: &root)
    let sensors = SensorList(from: &root)
    let gpio = root.section("gpio") { GPIOOptions(from: &$0) }
    let upload = root.section("upload") { UploadOptions(from: &$0, server?.link ?? .unmetered) }
    let usual = DownlinkOptions(server)
    let downlink = root.section("downlink") { DownlinkOptions(from: &$0, server, usual) } ?? usual
    let queue = root.section("queue") { QueueOptions(from: &$0) }
    let attributes = AttributeList.read(from: &root)
    let rpc = root.section("rpc") { RPCOptions(from: &$0) }
    let devices = DeviceList(from: &root, server, downlink, in: surroundings)
    let ota = root.section("ota") { OTAOptions(from: &$0, in: surroundings) }
    let claim = root.section("claim", isSecret: true) { ClaimOptions(from: &$0, in: surroundings) }
    let remote = root.section("remote") { RemoteOptions(from: &$0) }
    let log = root.section("log") { LogOptions(from: &$0) }
    let control = root.section("control") { ControlOptions(from: &$0) }
    let lines = GPIOLines(gpio, root.node.member("gpio"))
    let checks = CrossChecks(
      root: root.node, diagnostics: root.diagnostics, ports: ports, sensors: sensors, lines: lines, devices: devices)
    checks.run(server, device, downlink, rpc, ota)
    guard root.finish(), let server, let device else { return nil }

    self.server = server
    self.device = device
    self.stateDirectory = stateDirectory ?? surroundings.stateDirectory ?? Self.defaultStateDirectory
    self.runtimeDirectory = runtimeDirectory ?? surroundings.runtimeDirectory
    self.ports = ports.usable
    self.sensors = sensors.usable
    self.upload = upload ?? UploadOptions(server.link)
    self.queue = queue ?? QueueOptions()
    logLevel = (log ?? LogOptions()).level
    self.gpio = gpio ?? GPIOOptions()
    self.downlink = downlink
    self.attributes = attributes
    self.rpc = rpc ?? RPCOptions()
    self.claim = claim
    self.devices = devices.usable
    self.ota = ota ?? OTAOptions()
    self.unreachable = unreachable
    self.remote = remote ?? RemoteOptions()
    warnings = []
    controlSocket = control?.socket ?? Self.controlSocket(self.runtimeDirectory, self.stateDirectory)
  }

  /// The daemon's runtime directory is not in the environment of a shell: a command line looks where the unit puts it.
  private static func controlSocket(_ runtimeDirectory: String?, _ stateDirectory: String) -> String {
    let name = "control.sock"
    if let runtimeDirectory { return "\(runtimeDirectory)/\(name)" }
    if stateDirectory == defaultStateDirectory, access(defaultRuntimeDirectory, F_OK) == 0 {
      return "\(defaultRuntimeDirectory)/\(name)"
    }
    return "\(stateDirectory)/\(name)"
  }
}

extension MappingReader {
  /// Decodes the mapping under `key`, if there is one.
  fileprivate mutating func section<Options>(
    _ key: String, isSecret: Bool = false, isRequired: Bool = false, _ decode: (inout MappingReader) -> Options?
  ) -> Options? {
    guard var reader = mapping(key, isSecret: isSecret, mayBeEmpty: !isRequired) else { return nil }
    return decode(&reader)
  }
}
