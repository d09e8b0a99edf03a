internal import Hardware
internal import ThingsBoard
internal import YAML

extension ServerOptions {
  /// Reads `server`, whose reader hides values: a URL may hold a password.
  ///
  /// - Parameter unreachable: Is given what stands under that key, which is no part of the connection.
  init?(from reader: inout MappingReader, in surroundings: Surroundings, unreachable: inout [RecoveryStep]) {
    reader.require("url")
    let url = Self.url(&reader)
    let transport = reader.shownWord("transport", of: Transport.self)
    let link = reader.shownWord("link", of: Link.self)
    let tls = Self.tls(&reader, in: surroundings, url)
    let proxy = ProxyOptions(from: &reader)
    unreachable = RecoveryStep.steps("unreachable", from: &reader, in: RecoveryStep.unreachableRange)
    let hints = [
      "port": "write it into url: http://HOST:PORT", "host": "write it into url", "ca": "the key is tls: {ca: FILE}",
      "token": "the token stands under device",
    ]
    guard reader.finish(hints: hints), let url else { return nil }
    self.init(url: url)
    if let transport { self.transport = transport }
    if let link { self.link = link }
    if let tls { self.tls = tls }
    self.proxy = proxy
  }

  private static func url(_ reader: inout MappingReader) -> ServerURL? {
    guard let text = reader.string("url") else { return nil }
    do throws(ServerURLError) {
      let url = try ServerURL(text)
      if url.scheme == .http, !url.isLoopback {
        reader.warning(
          at: "url", "\(reader.path(of: "url")): over http the token travels unencrypted; prefer https"
        )
      }
      return url
    } catch {
      reader.error(at: "url", "\(reader.path(of: "url")) \(error)")
      return nil
    }
  }

  private static func tls(
    _ reader: inout MappingReader, in surroundings: Surroundings, _ url: ServerURL?
  ) -> TLSOptions? {
    // A reader of its own: no value in here is a secret, but for what somebody pastes in a path's place.
    guard let node = reader.node("tls"),
      var section = MappingReader(node, path: reader.path(of: "tls"), diagnostics: reader.diagnostics)
    else { return nil }
    if url?.scheme == .http {
      reader.warning(
        at: "tls", "\(reader.path(of: "tls")) means nothing: \(reader.path(of: "url")) begins with http://")
    }
    return TLSOptions(from: &section, in: surroundings)
  }
}

extension MappingReader {
  /// What one of `type`'s words stands for. The word is shown even where secrets may stand: one that is nearly right is
  /// none.
  mutating func shownWord<Word: RawRepresentable & CaseIterable>(_ key: String, of type: Word.Type) -> Word?
  where Word.RawValue == String {
    guard let node = node(key) else { return nil }
    if let word = node.text.flatMap(Word.init(rawValue:)) { return word }
    let words = type.allCases.map(\.rawValue)
    let near = node.text.flatMap { nearestWord(to: $0, among: words) }
    let found = node.described(hidingText: isSecret && near == nil)
    error(
      at: key,
      "\(path(of: key)) is \(found); expected \(listed(words, or: true))"
        + (near.map { "; did you mean \(quoted($0))?" } ?? ""))
    return nil
  }
}
