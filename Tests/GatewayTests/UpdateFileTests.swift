import EventLoop
import Foundation
import Telemetry
import Testing

@testable import Gateway

@Suite struct UpdateFileTests {
  private static func file(_ directory: String, free: Int64 = 1 << 40) -> PackageFile {
    PackageFile(
      directory: directory, name: "firmware.package",
      space: { _ throws(SystemError) in PackageFile.Space(free: free, capacity: 1 << 41) })
  }

  @Test func aPackageIsCutToWhatIsKnownToBeGood() throws {
    try CallRig.inDirectory { directory in
      let file = Self.file(directory)
      #expect(try file.prepare(length: 0, size: 300, copies: 1) == 0)
      try file.append([UInt8](repeating: 1, count: 200), at: 0)
      #expect(try file.synchronize() == 200)
      #expect(try file.prepare(length: 100, size: 300, copies: 1) == 100)
      #expect(try file.prepare(length: 250, size: 300, copies: 1) == 100)
      var status = stat()
      #expect(stat(file.path, &status) == 0 && status.st_mode & 0o7777 == 0o600 && status.st_size == 100)
    }
  }

  @Test func aLinkIsNotFollowed() throws {
    try CallRig.inDirectory { directory in
      let target = directory + "/target"
      try Data("precious".utf8).write(to: URL(fileURLWithPath: target))
      let file = Self.file(directory)
      symlink(target, file.path)
      #expect(throws: PackageFile.Failure.self) { try file.prepare(length: 0, size: 10, copies: 1) }
      #expect(throws: PackageFile.Failure.self) { try file.append([1], at: 0) }
      #expect(FileManager.default.contents(atPath: target) == Data("precious".utf8))
    }
  }

  @Test func theReserveStaysFree() throws {
    try CallRig.inDirectory { directory in
      let free = PackageFile.reserve + 1000
      let file = Self.file(directory, free: free)
      let length = try file.prepare(length: 0, size: 1000, copies: 1)
      #expect(length == 0)
      for (size, copies) in [(1001, 1), (501, 2), (Int64.max, 2)] as [(Int64, Int64)] {
        #expect(throws: PackageFile.Failure.self) { try file.prepare(length: 0, size: size, copies: copies) }
      }
      #expect(throws: PackageFile.Failure.self) { try file.append([UInt8](repeating: 0, count: 1001), at: 0) }
      let space = try PackageFile.space(directory)
      #expect(space.capacity >= space.free && space.free > 0)
    }
  }

  static let damaged = [
    "", "{}", "[]", "null", #"{"format":2}"#, #"{"format":1,"phase":"dancing"}"#,
    #"{"format":1,"phase":"verified","bytes":5,"chunk_size":1,"attempt":1,"boots":0,"confirm_from":0}"#,
    #"{"format":1,"phase":"downloading","bytes":-5,"chunk_size":1,"attempt":1,"boots":0,"confirm_from":0}"#,
    String(repeating: " ", count: 40_000) + "{}", "\u{0}\u{0}\u{0}\u{0}",
  ]

  @Test(arguments: damaged) func aDamagedRecordIsSetAside(_ text: String) throws {
    try CallRig.inDirectory { directory in
      let files = UpdateFiles(directory: directory, kind: .software)
      try Data(text.utf8).write(to: URL(fileURLWithPath: directory + "/software.json"))
      let found = try files.load()
      #expect(found.record == nil && found.complaint?.contains("set aside") == true)
      #expect(try files.load() == UpdateFiles.Found())
    }
  }

  @Test func whatIsWrittenIsRead() throws {
    try CallRig.inDirectory { directory in
      let files = UpdateFiles(directory: directory + "/updates", kind: .firmware)
      #expect(try files.load() == UpdateFiles.Found())
      var package = UpdatePackage(title: "a \"ü\" \\", version: "2")
      (package.checksum, package.size) = ("ab", 5)
      let request = InstallRequest(id: "0123", package: package, size: 5, fromVersion: nil)
      try files.write(request)
      let text = String(
        decoding: FileManager.default.contents(atPath: directory + "/updates/firmware.request") ?? Data(), as: UTF8.self
      )
      #expect(text.contains(#""kind":"firmware""#) && text.contains(#""signature":null"#))
      #expect(try files.look() == UpdateFiles.Look(request: "0123", result: nil))
      let record = try files.load().record
      #expect(record?.phase == .updating && record?.id == "0123" && record?.package?.isSame(as: package) == true)
      try files.confirm("0123")
      try files.cleanUp()
      #expect(try files.look() == UpdateFiles.Look())
    }
  }

  @Test func theFirstLineIsTheVersion() {
    let rows: [(String, String?)] = [
      ("1.2.3\n", "1.2.3"), ("  1.2.3 \r\nmore\n", "1.2.3"), ("1.2.3", "1.2.3"), ("", nil), ("\n1.2\n", nil),
      (" \n", nil),
    ]
    for (text, version) in rows { #expect(VersionSource.firstLine(Array(text.utf8)) == version) }
    #expect(VersionSource.firstLine([0xFF, 0x0A]) == nil)
    #expect(VersionSource.file("/nowhere/version").read() == nil)
    #expect(VersionSource.baudgate.read() == Version.current)
  }

  @Test func whereTheInstallerIsLookedFor() {
    #expect(
      InstallerStart.candidates(beside: "/usr/libexec/baudgate/baudgated") == [
        "/usr/libexec/baudgate/baudgate", "/usr/libexec/baudgate/../bin/baudgate",
        "/usr/libexec/baudgate/../../bin/baudgate",
      ])
  }

  @Test func aLaunchedProgramIsNobodysChild() throws {
    try CallRig.inDirectory { directory in
      let pipe = directory + "/pipe"
      mkfifo(pipe, 0o600)
      try InstallerStart.launch(["/bin/sh", "-c", "echo $PPID $(ls /proc/self/fd | wc -l) $PWD >\"$0\"", pipe])
      // Opening waits for the program.
      let reader = open(pipe, O_RDONLY)
      defer { close(reader) }
      var bytes = [UInt8](repeating: 0, count: 256)
      let count = read(reader, &bytes, bytes.count)
      let said = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
      let words = said.split(whereSeparator: \.isWhitespace)
      #expect(words.count == 3 && words.first.flatMap { Int32($0) } != getpid() && words.last == "/")
      #expect(throws: SystemError.self) { try InstallerStart.launch(["/nowhere/at/all"]) }
    }
  }

  @Test func theLastLineOfTheOutputIsTold() {
    var result = InstallResult(id: "1", state: .failed, error: "ended with 1", output: "a\nb\u{1B}[2J\n \n")
    #expect(result.words == "ended with 1: b [2J")
    result.output = nil
    #expect(result.words == "ended with 1")
  }
}
