internal import Glibc
public import YAML

/// Finds register maps: `map: sdm120` is `sdm120.yaml` in the first directory that has it.
public struct MapLibrary: FileLibrary {
  public static let usualDirectories = [
    "/etc/baudgate/maps", "/usr/local/share/baudgate/maps", "/usr/share/baudgate/maps",
  ]
  /// Bytes of the largest map.
  static let fileLimit = 256 << 10
  /// The most names of maps that a message can show.
  private static let nameLimit = 100
  private static let suffix = ".yaml"

  private let directories: [String]

  /// - Parameters:
  ///   - file: The configuration file; its directory may have a `maps` of its own.
  ///   - directories: Where else, in their order.
  init(beside file: String, then directories: [String]) {
    self.directories = [Self.directory(beside: file)] + directories
  }

  /// `maps` in the directory of the file at `path`.
  public static func directory(beside path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "maps" }
    return path[...slash] + "maps"
  }

  public func file(named name: String) throws(LibraryFailure) -> LibraryFile {
    if name.hasPrefix("/") { return try read(name) }
    guard !name.utf8.contains(UInt8(ascii: "/")), name.utf8.first != UInt8(ascii: "."), name.utf8.count <= 128 else {
      throw LibraryFailure("expected a map's name such as sdm120, or an absolute path")
    }
    for directory in directories {
      let path = "\(directory)/\(name)\(Self.suffix)"
      if access(path, F_OK) == 0 { return try read(path) }
    }
    let known = names()
    let near = nearestWord(to: name, among: known).map { "did you mean \(quoted($0))?" }
    let there = known.isEmpty ? "no map is there" : "there are \(listed(known))"
    throw LibraryFailure("no \(name)\(Self.suffix) in \(listed(unique, or: true)); \(near ?? there)")
  }

  private var unique: [String] {
    directories.enumerated().filter { directories.firstIndex(of: $0.element) == $0.offset }.map(\.element)
  }

  private func read(_ path: String) throws(LibraryFailure) -> LibraryFile {
    do throws(BoundedFile.Failure) {
      return LibraryFile(path: path, bytes: try BoundedFile(path, atMost: Self.fileLimit).bytes)
    } catch {
      throw LibraryFailure("\(path) cannot be read: \(error.message)")
    }
  }

  /// The maps there are.
  private func names() -> [String] {
    var names: Set<String> = []
    for directory in directories {
      guard let stream = opendir(directory) else { continue }
      defer { closedir(stream) }
      while names.count < Self.nameLimit, let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
          pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
        }
        if name.hasSuffix(Self.suffix), !name.hasPrefix(".") {
          names.insert(String(name.dropLast(Self.suffix.utf8.count)))
        }
      }
    }
    return names.sorted()
  }
}
