internal import Telemetry
internal import ThingsBoard

/// What the daemon asks for in `KIND.request`, checked: the daemon reads from the network, and this may run as root.
///
/// Source: docs/updates.md, "The files between daemon and installer".
struct InstallRequest: Sendable, Equatable {
  static let sizeLimit = 64 << 10
  static let textLimit = 1024
  static let idLength = 32

  var id: String
  var title: String
  var version: String
  /// Bytes of the package.
  var size: Int64
  var checksum: String?
  var checksumAlgorithm: String?
  var signature: String?
  /// What runs now, where that is known.
  var fromVersion: String?

  /// Why a request is not taken.
  struct Refusal: Error, Equatable {
    /// The request's, where that much could be read; a result without it reaches nobody.
    var id: String?
    var words: String
  }

  /// - Parameters:
  ///   - bytes: The file, at most `sizeLimit` and a byte of it.
  ///   - kind: The one whose file it is.
  init(parsing bytes: [UInt8], for kind: PackageKind) throws(Refusal) {
    guard bytes.count <= Self.sizeLimit else {
      throw Refusal(id: nil, words: "the request is longer than \(Self.sizeLimit) bytes")
    }
    let document: JSON
    do throws(JSONError) {
      document = try JSON(parsing: bytes, limits: JSONLimits(size: Self.sizeLimit, depth: 4, values: 64))
    } catch {
      throw Refusal(id: nil, words: "the request is no JSON: \(error)")
    }
    guard case .string(let id) = document["id"], Self.isID(id) else {
      throw Refusal(id: nil, words: "the request has no id of \(Self.idLength) hexadecimal digits")
    }
    guard document["format"] == .integer(1) else {
      throw Refusal(id: id, words: "the request's format is not 1: daemon and installer are of different versions")
    }
    guard document["kind"] == .string(kind.rawValue) else {
      throw Refusal(id: id, words: "the request is not for \(kind.rawValue)")
    }
    guard case .integer(let size) = document["size"], size > 0 else {
      throw Refusal(id: id, words: "the request's size is no positive number")
    }
    func text(_ name: String) throws(Refusal) -> String? {
      switch document[name] {
      case nil, .null: return nil
      case .string(let text) where Self.isPlain(text): return text
      default:
        throw Refusal(id: id, words: "the request's \(name) is no text of 1 to \(Self.textLimit) printable bytes")
      }
    }
    guard let title = try text("title"), let version = try text("version") else {
      throw Refusal(id: id, words: "the request has no title or no version")
    }
    self.id = id
    self.title = title
    self.version = version
    self.size = size
    checksum = try text("checksum")
    checksumAlgorithm = try text("checksum_algorithm")
    signature = try text("signature")
    fromVersion = try text("from_version")
  }

  static func isID(_ text: String) -> Bool {
    text.utf8.count == idLength
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// It goes into an environment and into the log.
  private static func isPlain(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= textLimit && oneLine(text) == text
  }
}
