import Foundation
import Simulator
import Testing

/// Contract, section 8, and the web server beside it.
@Suite struct PackageTests {
  private static func package(_ count: Int = 10) -> ServedPackage {
    ServedPackage(.firmware, title: "board fw", version: "1.0", content: Array("0123456789abcdef".utf8.prefix(count)))
  }
  private static let path = "/api/v1/T/firmware?title=board%20fw&version=1.0"

  @Test("An assignment sets shared attributes and ends a poll; taking it back deletes them")
  func attributes() async throws {
    try await ServerBench.run { bench async throws in
      let poll = try await bench.openPoll("attributes/updates")
      #expect(bench.server.assign(Self.package(), token: "T"))
      let news = try await poll.receive().body
      #expect(
        news == #"{"fw_title":"board fw","fw_version":"1.0","fw_size":10,"fw_checksum_algorithm":"CRC32","#
          + #""fw_checksum":"c6c784a6"}"#)
      var external = ServedPackage(.firmware, title: "b", version: "2", content: [])
      external.url = "http://x/y"
      bench.server.assign(external, token: "T")
      #expect(bench.server.sharedAttributes(token: "T").keys.sorted() == ["fw_title", "fw_url", "fw_version"])
      #expect(try await bench.get("/api/v1/T/firmware?title=b&version=2").status == 404)
      bench.server.unassign(.firmware, token: "T")
      #expect(bench.server.sharedAttributes(token: "T").isEmpty)
    }
  }

  @Test("Parts, the whole, and what is not assigned")
  func parts() async throws {
    try await ServerBench.run { bench async throws in
      #expect(try await bench.get(Self.path).status == 404)
      bench.server.assign(Self.package(), token: "T")
      let whole = try await bench.get(Self.path)
      #expect(whole.status == 200 && whole.body == "0123456789")
      #expect(whole.headers["content-type"] == "application/octet-stream")
      #expect(whole.headers["x-filename"] == "package.bin")
      #expect(whole.headers["content-disposition"] == "attachment;filename=package.bin")
      let parts = try await [0, 1, 2, 3].asyncMap { try await bench.get(Self.path + "&size=4&chunk=\($0)").body }
      #expect(parts == ["0123", "4567", "89", ""])
      #expect(try await bench.get("/api/v1/T/firmware?title=board%20fw&version=1.1").status == 400)
      #expect(try await bench.get("/api/v1/T/firmware?title=board%20fw").status == 400)
      #expect(try await bench.get("/api/v1/T/software?title=board%20fw&version=1.0").status == 404)
      #expect(try await bench.get("/api/v1/X/firmware?title=board%20fw&version=1.0").status == 401)
      #expect(try await bench.post("/api/v1/T/firmware", "").status == 405)
    }
  }

  @Test("People assign with curl; faults leave that alone")
  func control() async throws {
    try await ServerBench.run { bench async throws in
      bench.server.setFault(.reset, scope: .everything)
      let path = "/api/packages/T/software"
      #expect(try await bench.post(path + "?title=a&version=1&checksum=00&checksum_algorithm=MD5", "xyz").status == 200)
      #expect(try await bench.post(path + "?title=a", "xyz").status == 400)
      #expect(try await bench.post("/api/packages/X/software?title=a&version=1", "xyz").status == 404)
      #expect(bench.server.sharedAttributes(token: "T")["sw_checksum"]?.text == "00")
      bench.server.setFault(nil)
      #expect(try await bench.get("/api/v1/T/software?title=a&version=1").body == "xyz")
      #expect(try await RawClient.ask(bench.port, "DELETE", path).status == 200)
      #expect(try await bench.get("/api/v1/T/software?title=a&version=1").status == 404)
      #expect(try await RawClient.ask(bench.port, "PUT", "/packages/a.deb", body: "abc").status == 200)
      #expect(try await bench.get("/packages/a.deb").body == "abc")
      #expect(try await RawClient.ask(bench.port, "DELETE", "/packages/a.deb").status == 200)
      #expect(try await bench.get("/packages/a.deb").status == 404)
    }
  }

  @Test("Parts too long, too short, empty, altered")
  func faults() async throws {
    try await ServerBench.run { bench async throws in
      bench.server.assign(Self.package(), token: "T")
      func ask(_ fault: Fault) async throws -> RawClient.Answer {
        bench.server.setFault(fault, requests: 1, scope: .packages)
        return try await bench.get(Self.path + "&size=4&chunk=0")
      }
      #expect(try await ask(.longer(by: 2)).headers["content-length"] == "6")
      #expect(try await ask(.shorter(by: 1)).body == "012")
      #expect(try await ask(.shorter(by: .max)).body.isEmpty)
      #expect(try await ask(.altered).body == "0133")
      #expect(try await ask(.captivePortal).headers["content-type"]?.hasPrefix("text/html") == true)
      #expect(try await ask(.emptyServerError).status == 500)
      #expect(try await bench.get(Self.path + "&size=4&chunk=0").body == "0123")
    }
  }

  @Test("Ranges of a file beside ThingsBoard, and what a bad server makes of them")
  func ranges() async throws {
    try await ServerBench.run { bench async throws in
      var file = ServedFile(Array("0123456789".utf8))
      let etag = try #require(file.etag)
      func ask(_ headers: String...) async throws -> RawClient.Answer {
        bench.server.offer(file, as: "f")
        return try await RawClient.ask(bench.port, "GET", "/packages/f", headers: headers)
      }
      #expect(try await ask().headers["etag"] == etag)
      let part = try await ask("Range: bytes=4-", "If-Range: \(etag)")
      #expect(part.status == 206 && part.body == "456789")
      #expect(part.headers["content-range"] == "bytes 4-9/10")
      #expect(try await ask("Range: bytes=4-5").body == "45")
      #expect(try await ask("Range: bytes=4-", "If-Range: \"other\"").status == 200)
      let behind = try await ask("Range: bytes=10-", "If-Range: \(etag)")
      #expect(behind.status == 416 && behind.headers["content-range"] == "bytes */10")
      file.flaw = .ignored
      #expect(try await ask("Range: bytes=4-").status == 200)
      file.flaw = .shifted(-2)
      #expect(try await ask("Range: bytes=4-").headers["content-range"] == "bytes 2-9/10")
      file.flaw = .misnamed("bytes 0-1/2")
      #expect(try await ask("Range: bytes=4-").headers["content-range"] == "bytes 0-1/2")
      file.flaw = .blind
      #expect(try await ask("Range: bytes=4-", "If-Range: \"other\"").body == "456789")
      file.redirect = "/packages/other"
      #expect(try await ask().headers["location"] == "/packages/other")
    }
  }

  @Test("Noise is the same each time and the same nowhere")
  func noise() {
    let bytes = ServedPackage.noise(4096)
    #expect(bytes == ServedPackage.noise(4096))
    #expect(bytes != ServedPackage.noise(4096, seed: 2))
    for shift in 1...300 { #expect(bytes.prefix(64) != bytes.dropFirst(shift).prefix(64)) }
  }

  @Test("CRC-32 has its bytes in Guava's order")
  func checksum() {
    #expect(ServedPackage.crc32(Array("abc".utf8)) == "c2412435")
    #expect(ServedPackage.crc32((0...255).map { UInt8($0) }) == "738c0529")
  }
}

extension Array {
  fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await transform(element)) }
    return results
  }
}
