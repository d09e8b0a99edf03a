internal import Telemetry
internal import ThingsBoard

/// An access token with what it belongs to.
struct StoredToken: Sendable, Equatable {
  var token: Secret
  /// The device's name; `nil` where the server made one up.
  var device: String?
  /// The server's URL without `/api/v1`.
  var server: String
}

/// What `credential.json` holds.
///
/// ```json
/// {"version":1,"current":{"token":"…","device":"greenhouse-pi","server":"https://…"},"pending":{…}}
/// ```
struct StoredCredentials: Sendable, Equatable {
  /// The layout this code writes; a higher one is a later Baudgate's.
  static let version: Int64 = 1

  /// What the gateway uses.
  var current: StoredToken?
  /// Proposed to the server, which may or may not have taken it.
  var pending: StoredToken?

  /// Why bytes are no `credential.json`; holds nothing of what is in them.
  enum ParsingError: Error, Equatable {
    case damaged(String)
    case newerVersion(Int64)
  }

  init(current: StoredToken? = nil, pending: StoredToken? = nil) {
    self.current = current
    self.pending = pending
  }

  init(parsing bytes: [UInt8]) throws(ParsingError) {
    let document: JSON
    do throws(JSONError) { document = try JSON(parsing: bytes) } catch { throw .damaged("\(error)") }
    guard case .integer(let version)? = document["version"], version > 0 else { throw .damaged("it has no version") }
    guard version <= Self.version else { throw .newerVersion(version) }
    current = try Self.token(document, "current")
    pending = try Self.token(document, "pending")
  }

  private static func token(_ document: JSON, _ name: String) throws(ParsingError) -> StoredToken? {
    guard let entry = document[name], entry != .null else { return nil }
    guard case .string(let text)? = entry["token"], case .string(let server)? = entry["server"] else {
      throw .damaged("\(name) lacks its token or its server")
    }
    let device: String?
    switch entry["device"] {
    case .string(let name)?: device = name
    case nil, .null?: device = nil
    default: throw .damaged("\(name).device is no text")
    }
    do throws(TokenError) {
      let token = try DeviceCredential(token: text, source: .file(CredentialFile.name)).token
      return StoredToken(token: token, device: device, server: server)
    } catch { throw .damaged("\(name).token \(error)") }
  }

  /// The file's bytes, a line end behind them.
  var bytes: [UInt8] {
    var members = [JSON.Member("version", .integer(Self.version))]
    if let current { members.append(JSON.Member("current", current.json)) }
    if let pending { members.append(JSON.Member("pending", pending.json)) }
    var bytes: [UInt8] = []
    JSON.object(members).write(into: &bytes)
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }
}

extension StoredToken {
  fileprivate var json: JSON {
    var members = [JSON.Member("token", .string(token.reveal()))]
    if let device { members.append(JSON.Member("device", .string(device))) }
    members.append(JSON.Member("server", .string(server)))
    return .object(members)
  }
}
