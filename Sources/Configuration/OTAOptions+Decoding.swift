internal import ThingsBoard
internal import YAML

extension OTAOptions {
  /// Reads `ota`.
  init?(from reader: inout MappingReader, in surroundings: Surroundings) {
    self.init()
    for (kind, place) in [(PackageKind.firmware, \OTAOptions.firmware), (.software, \.software)] {
      guard var section = reader.mapping(kind.rawValue) else { continue }
      self[keyPath: place] = PackageOptions(from: &section, kind, in: surroundings)
    }
    let hints = Dictionary(
      ["install", "version_file", "public_key", "public_key_file"].map {
        ($0, "it stands under firmware or software, which have one each")
      }, uniquingKeysWith: { first, _ in first })
    guard reader.finish(hints: hints) else { return nil }
  }
}

extension PackageOptions {
  private static let example = "[/usr/lib/baudgate/install-firmware, \"{file}\"]"

  /// Reads `ota.firmware` or `ota.software`.
  init?(from reader: inout MappingReader, _ kind: PackageKind, in surroundings: Surroundings) {
    reader.require("install")
    let install = Self.program("install", suchAs: Self.example, &reader)
    if let install, !install.contains(where: Self.hasPlaceholder) {
      reader.error(
        at: "install",
        "\(reader.path(of: "install")) does not say where the package goes; one of its words must have "
          + "\(Self.filePlaceholder) in it, as in \(Self.example)")
    }
    let rollback = Self.program("rollback", suchAs: "[/usr/lib/baudgate/restore-firmware]", &reader)
    let versionFile = reader.absolutePath("version_file", suchAs: "/etc/board-version")
    if kind == .firmware, !reader.has("version_file"), !reader.hasNearMiss(of: ["version_file"]) {
      reader.error(
        at: "",
        "\(reader.path) has no \"version_file\", which is required: nothing else could tell that the new version runs")
    }
    let chunkSize = reader.size("chunk_size", in: Self.chunkSizeRange)
    let maxSize = reader.size("max_size", in: Self.maxSizeRange)
    let timeLimit = reader.duration("time_limit", in: Self.timeLimitRange)
    let confirmWithin = reader.duration("confirm_within", in: Self.confirmWithinRange)
    let publicKey = SigningKey.read(from: &reader, in: surroundings)
    let hints = [
      "command": "the key is \"install\"", "key": "the key is \"public_key\" or \"public_key_file\"",
      "timeout": "the key is \"time_limit\"", "version": "the key is \"version_file\"",
      "private_key": SigningKey.privateKeyRemedy, "private_key_file": SigningKey.privateKeyRemedy,
    ]
    guard reader.finish(hints: hints), let install else { return nil }
    self.init(install: install)
    self.rollback = rollback
    self.versionFile = versionFile
    self.chunkSize = chunkSize ?? self.chunkSize
    self.maxSize = maxSize ?? self.maxSize
    self.timeLimit = timeLimit ?? self.timeLimit
    self.confirmWithin = confirmWithin ?? self.confirmWithin
    self.publicKey = publicKey
  }

  private static func program(_ key: String, suchAs example: String, _ reader: inout MappingReader) -> [String]? {
    if case .sequence(let items)? = reader.node.member(key)?.value,
      let index = items.firstIndex(where: isUnquotedPlaceholder)
    {
      _ = reader.makeKnown(key)
      reader.diagnostics.error(
        at: items[index],
        "\(reader.path(of: key))[\(index)] is \(filePlaceholder) without quotes, which YAML takes for a mapping; "
          + "write \"\(filePlaceholder)\"")
      return nil
    }
    return reader.program(key, suchAs: example)
  }

  private static func isUnquotedPlaceholder(_ item: YAMLNode) -> Bool {
    guard let entries = item.entries, entries.count == 1 else { return false }
    return "{\(entries[0].name)}" == filePlaceholder && entries[0].value.isNull
  }

  /// The standard library's own search brings the regular expression engine along, 1 MB.
  private static func hasPlaceholder(_ word: String) -> Bool {
    let (bytes, wanted) = (Array(word.utf8), Array(filePlaceholder.utf8))
    guard bytes.count >= wanted.count else { return false }
    return (0...bytes.count - wanted.count).contains { bytes[$0...].starts(with: wanted) }
  }
}
