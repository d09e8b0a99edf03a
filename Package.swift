// swift-tools-version: 6.0
import PackageDescription

/// Warnings are errors where CI says so; a newer compiler's new warning must not break a user's build.
let strict: [SwiftSetting] =
  (Context.environment["BAUDGATE_WERROR"] != nil ? [.unsafeFlags(["-warnings-as-errors"])] : [])
  + [.enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault")]

/// A room of the daemon: `docs/architecture.md` says which may use which.
func room(_ name: String, uses dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(of name: String, uses dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, swiftSettings: strict)
}

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let flyingFox = Target.Dependency.product(name: "FlyingFox", package: "FlyingFox")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "baudgate",
  products: [
    .executable(name: "baudgated", targets: ["baudgated"]),
    .executable(name: "baudgate", targets: ["baudgate"]),
    .executable(name: "baudgate-simulator", targets: ["baudgate-simulator"]),
    .library(name: "ThingsBoard", targets: ["ThingsBoard", "Telemetry", "EventLoop"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.3.0"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.20.0"),
  ],
  targets: [
    .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
    .systemLibrary(name: "CUdev", pkgConfig: "libudev", providers: [.apt(["libudev-dev"])]),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CKernel"),

    room("Telemetry"),
    room("YAML", uses: ["CYAML"]),
    room("EventLoop", uses: ["CSystemd", "CKernel"]),
    room("Hardware", uses: ["EventLoop", "Telemetry", "YAML", "CKernel", "CUdev", logging]),
    room("Listing", uses: ["Hardware", "Telemetry"]),
    room("Sensors", uses: ["Telemetry", "YAML", "CPCRE2", "CKernel"]),
    room("Queue", uses: ["EventLoop", "Telemetry", "YAML", "CKernel", logging]),
    room("ThingsBoard", uses: ["EventLoop", "Telemetry", "CCurl", "CKernel"]),
    room("Integrity", uses: ["CCrypto", "CKernel", "CZlib"]),
    room("Configuration", uses: ["YAML", "Hardware", "Sensors", "Queue", "ThingsBoard", "Telemetry", logging]),
    room(
      "Gateway",
      uses: [
        "Configuration", "Integrity", "Sensors", "Queue", "ThingsBoard", "Hardware", "EventLoop", "Telemetry", "YAML",
        "CKernel", "CSystemd", logging,
      ]),
    room("Installer", uses: ["Configuration", "ThingsBoard", "EventLoop", "Telemetry", "CKernel"]),
    room("Simulator", uses: ["Telemetry", "CKernel", flyingFox]),
    .executableTarget(name: "baudgated", dependencies: ["Gateway"], swiftSettings: strict),
    .executableTarget(
      name: "baudgate",
      dependencies: [
        "Gateway", "Listing", "Installer", "Configuration", "Hardware", "ThingsBoard", "Telemetry", "YAML", "CKernel",
        argumentParser,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "baudgate-simulator", dependencies: ["Simulator", "Telemetry", argumentParser], swiftSettings: strict),
    // Of `make bench` alone: not installed.
    .executableTarget(
      name: "baudgate-bench", dependencies: ["Sensors", "Telemetry", "YAML"], swiftSettings: strict),

    tests(of: "Telemetry"),
    tests(of: "YAML"),
    tests(of: "EventLoop"),
    tests(of: "Hardware", uses: ["Listing", "EventLoop", "Telemetry", "YAML", "CKernel", logging]),
    tests(of: "Sensors", uses: ["Telemetry", "YAML"]),
    tests(of: "Queue", uses: ["EventLoop"]),
    tests(of: "Integrity", uses: ["CKernel"]),
    tests(of: "ThingsBoard", uses: ["CCurl", "EventLoop", "Telemetry", "Simulator"]),
    tests(of: "Configuration", uses: ["Hardware", "Queue", "Sensors", "Telemetry", "ThingsBoard"]),
    tests(of: "Gateway", uses: ["Configuration", "EventLoop", "Hardware", "Telemetry", "ThingsBoard"]),
    tests(of: "Installer", uses: ["Configuration", "ThingsBoard", "Telemetry"]),
    tests(of: "Simulator", uses: ["Telemetry"]),
    .testTarget(
      name: "EndToEnd", dependencies: ["Simulator", "Telemetry"], path: "Tests/EndToEnd", swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
