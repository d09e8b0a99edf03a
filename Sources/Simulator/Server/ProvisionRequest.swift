/// The fields of `POST /provision`, read as the server reads them.
struct ProvisionRequest: Equatable {
  /// Empty where it is absent, as all others but key and secret.
  var deviceName: String
  var token: String
  var clientID: String
  var userName: String
  var password: String
  var hash: String
  var credentialsType: ProvisioningProfile.CredentialsType
  var key: String
  var secret: String

  /// Why there is no request in a body.
  enum Fault: Error, Equatable {
    /// 500 with the parser's words.
    case refused(String)
    /// 500 whose message repeats the body, secret and all.
    case missing(String)
    /// 500 with an empty body.
    case failed
  }

  init(_ body: [UInt8]) throws(Fault) {
    let document: LiteralJSON
    do throws(LiteralJSON.SyntaxError) { document = try LiteralJSON.parse(body).document } catch {
      throw .refused(error.message)
    }
    guard case .object = document else { throw .refused("Can't parse value: \(document.text)") }
    deviceName = try Self.optional("deviceName", document)
    let type = try Self.optional("credentialsType", document)
    guard let known = type.isEmpty ? .accessToken : ProvisioningProfile.CredentialsType(rawValue: type) else {
      throw .failed
    }
    credentialsType = known
    token = try Self.optional("token", document)
    clientID = try Self.optional("clientId", document)
    userName = try Self.optional("username", document)
    password = try Self.optional("password", document)
    hash = try Self.optional("hash", document)
    key = try Self.required("provisionDeviceKey", document)
    secret = try Self.required("provisionDeviceSecret", document)
  }

  private static func optional(_ name: String, _ document: LiteralJSON) throws(Fault) -> String {
    guard let value = document[name] else { return "" }
    guard let text = value.asText else { throw .failed }
    return text
  }

  private static func required(_ name: String, _ document: LiteralJSON) throws(Fault) -> String {
    guard let value = document[name] else {
      throw .missing("Failed to find the field \(name) in JSON body \(document.text)!")
    }
    guard let text = value.asText else { throw .failed }
    return text
  }
}

extension LiteralJSON {
  /// Java's `getAsString`: any scalar but null.
  var asText: String? {
    switch self {
    case .string(let text), .number(let text): text
    case .bool(let value): value ? "true" : "false"
    case .null, .array, .object: nil
    }
  }
}
