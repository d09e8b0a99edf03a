import EventLoop
import Foundation
import Synchronization
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct CredentialFileTests {
  private static let old = StoredCredentials(
    current: StoredToken(token: Secret("OLD_TOKEN_12345678901"), device: "greenhouse \"ä\"", server: "http://tb"))
  private static let new = StoredCredentials(
    current: old.current, pending: StoredToken(token: Secret("NEW_TOKEN_12345678901"), device: nil, server: "http://tb")
  )

  private static func mode(_ path: String) throws -> UInt32 {
    var status = stat()
    try check("stat") { stat(path, &status) }
    return status.st_mode & 0o7777
  }

  private static func entries(_ directory: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
  }

  @Test(arguments: [StoredCredentials(), old, new, StoredCredentials(pending: new.pending)])
  func whatIsSavedIsLoaded(_ credentials: StoredCredentials) throws {
    try CallRig.inDirectory { directory in
      let file = CredentialFile(directory: directory)
      try file.save(Self.new)
      try file.save(credentials)
      let loaded = try file.load()
      #expect(loaded == CredentialFile.Loaded(credentials: credentials))
      #expect(try Self.mode(file.path) == 0o600)
      #expect(try Self.entries(directory) == [CredentialFile.name])
    }
  }

  /// `sudo baudgate provision` before the service's first start.
  @Test(.enabled(if: geteuid() == 0)) func whatRootMakesBelongsToTheDirectorysOwner() throws {
    try CallRig.inDirectory { directory in
      chown(directory, 65_534, 65_533)
      let file = CredentialFile(directory: directory)
      for credentials in [Self.old, Self.new] {
        try file.save(credentials)
        var status = stat()
        #expect(stat(file.path, &status) == 0)
        #expect(status.st_uid == 65_534 && status.st_gid == 65_533)
        #expect(try Self.mode(file.path) == 0o600)
      }
    }
  }

  @Test func withoutAFileThereIsNothing() throws {
    try CallRig.inDirectory { directory in
      let loaded = try CredentialFile(directory: directory).load()
      #expect(loaded == CredentialFile.Loaded())
    }
  }

  @Test(arguments: [0o644, 0o640, 0o604] as [mode_t])
  func aModeThatShowsTheTokenIsTakenBack(_ mode: mode_t) throws {
    try CallRig.inDirectory { directory in
      let file = CredentialFile(directory: directory)
      try file.save(Self.old)
      chmod(file.path, mode)
      let loaded = try file.load()
      #expect(loaded.credentials == Self.old)
      #expect(loaded.complaints.map(\.level) == [.warning])
      #expect(try Self.mode(file.path) == 0o600)
      #expect(try file.load().complaints.isEmpty)
    }
  }

  static let damaged: [(String, [UInt8])] = [
    ("empty", []),
    ("zeroes, as after a power cut without fsync", [UInt8](repeating: 0, count: 512)),
    ("no JSON", Array("A1_TEST_TOKEN\n".utf8)),
    ("cut short", Array(#"{"version":1,"current":{"token":"SECRET_TOKEN_1","#.utf8)),
    ("another document", Array("[1,2]".utf8)),
    ("without a version", Array(#"{"current":{"token":"SECRET_TOKEN_1","server":"http://tb"}}"#.utf8)),
    ("version 0", Array(#"{"version":0}"#.utf8)),
    ("a version that is text", Array(#"{"version":"1"}"#.utf8)),
    ("a token that is a number", Array(#"{"version":1,"current":{"token":5,"server":"http://tb"}}"#.utf8)),
    ("a token with a slash", Array(#"{"version":1,"current":{"token":"a/SECRET_TOKEN_1","server":"http://tb"}}"#.utf8)),
    ("a token that is empty", Array(#"{"version":1,"pending":{"token":"","server":"http://tb"}}"#.utf8)),
    ("no server", Array(#"{"version":1,"pending":{"token":"SECRET_TOKEN_1"}}"#.utf8)),
    ("a device that is a list", Array(#"{"version":1,"pending":{"token":"a","server":"b","device":[]}}"#.utf8)),
    ("nested deeply", [UInt8](repeating: UInt8(ascii: "["), count: 10_000)),
    ("huge", [UInt8](repeating: UInt8(ascii: " "), count: 1 << 20)),
  ]

  @Test(arguments: damaged)
  func aDamagedFileIsSetAsideAndToldOf(_ what: String, _ bytes: [UInt8]) throws {
    try CallRig.inDirectory { directory in
      let file = CredentialFile(directory: directory)
      try Data(bytes).write(to: URL(fileURLWithPath: file.path))
      chmod(file.path, 0o600)
      let loaded = try file.load()
      #expect(loaded.credentials == StoredCredentials(), "\(what)")
      #expect(loaded.complaints.map(\.level) == [.error])
      #expect(loaded.complaints.allSatisfy { !$0.message.contains("SECRET_TOKEN_1") })
      #expect(try Self.entries(directory) == [CredentialFile.name + ".damaged"])
      #expect(try Data(contentsOf: URL(fileURLWithPath: file.path + ".damaged")) == Data(bytes))
      #expect(try file.load() == CredentialFile.Loaded())
    }
  }

  @Test func damagedFilesAreKeptInABoundedNumber() throws {
    try CallRig.inDirectory { directory in
      let file = CredentialFile(directory: directory)
      for number in 1...CredentialFile.damagedLimit + 3 {
        try Data("damage \(number)".utf8).write(to: URL(fileURLWithPath: file.path))
        #expect(try file.load().credentials == StoredCredentials())
      }
      #expect(try Self.entries(directory).count == CredentialFile.damagedLimit)
      #expect(try String(contentsOfFile: file.path + ".damaged", encoding: .utf8) == "damage 1")
    }
  }

  @Test func aLaterVersionStaysWhereItIs() throws {
    try CallRig.inDirectory { directory in
      let file = CredentialFile(directory: directory)
      try Data(#"{"version":2,"vault":{}}"#.utf8).write(to: URL(fileURLWithPath: file.path))
      #expect { try file.load() } throws: { ($0 as? CredentialFileError)?.code == .newerVersion }
      #expect(try Self.entries(directory) == [CredentialFile.name])
    }
  }

  @Test(arguments: ["directory", "link", "pipe"])
  func whatIsNoFileMayHideACredential(_ kind: String) throws {
    try CallRig.inDirectory { directory in
      let file = CredentialFile(directory: directory)
      switch kind {
      case "directory": mkdir(file.path, 0o700)
      case "link": symlink("/dev/zero", file.path)
      default: mkfifo(file.path, 0o600)
      }
      #expect { try file.load() } throws: { ($0 as? CredentialFileError)?.code == .unreadable }
    }
  }

  // MARK: Writing

  @Test func cutOffAfterAnyStepTheOldContentOrTheNewOneIsThere() throws {
    try CallRig.inDirectory { directory in
      let state = directory + "/state"
      try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
      try CredentialFile(directory: state).save(Self.old)
      let steps = Mutex<[CredentialFile.WriteStep]>([])
      // A copy of the directory is what a killed process leaves.
      let file = CredentialFile(directory: state) { step in
        steps.withLock { $0.append(step) }
        try? FileManager.default.copyItem(atPath: state, toPath: "\(directory)/\(step)")
      }
      try file.save(Self.new)
      #expect(steps.withLock { $0 } == CredentialFile.WriteStep.allCases)
      for step in CredentialFile.WriteStep.allCases {
        let rest = CredentialFile(directory: "\(directory)/\(step)")
        let isReplaced = step == .renamed || step == .directorySynchronized
        #expect(try rest.load() == CredentialFile.Loaded(credentials: isReplaced ? Self.new : Self.old), "\(step)")
        // What was left there is in nobody's way.
        try rest.save(Self.new)
        #expect(try rest.load().credentials == Self.new)
        #expect(try Self.entries("\(directory)/\(step)") == [CredentialFile.name])
      }
    }
  }

  @Test(arguments: CredentialFile.WriteStep.allCases)
  func aWriteThatFailsSaysSoAndLeavesNoLitter(_ failing: CredentialFile.WriteStep) throws {
    try CallRig.inDirectory { directory in
      try CredentialFile(directory: directory).save(Self.old)
      let file = CredentialFile(directory: directory) { step throws(SystemError) in
        if step == failing { throw SystemError("write", errno: ENOSPC) }
      }
      #expect { try file.save(Self.new) } throws: { error in
        guard let error = error as? CredentialFileError else { return false }
        return error.code == .unwritable && error.message.contains("No space left") && error.message.contains(file.path)
      }
      #expect(try Self.entries(directory) == [CredentialFile.name])
      let isReplaced = failing == .renamed || failing == .directorySynchronized
      #expect(try file.load().credentials == (isReplaced ? Self.new : Self.old))
    }
  }

  @Test func withoutAStateDirectoryNothingIsWritten() throws {
    try CallRig.inDirectory { directory in
      let file = CredentialFile(directory: directory + "/missing")
      #expect { try file.save(Self.new) } throws: { ($0 as? CredentialFileError)?.code == .unwritable }
    }
  }

  @Test func tokensOfOurOwnAreLongAndEachIsAnother() {
    let tokens = (0..<200).map { _ in AccessToken.random().reveal() }
    #expect(Set(tokens).count == tokens.count)
    for token in tokens {
      #expect(token.count == 32)
      #expect(
        token.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
      )
    }
  }
}
