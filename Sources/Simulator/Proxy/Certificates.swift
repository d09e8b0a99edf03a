internal import Foundation

/// A certificate authority of a test's own, a server's and a client's certificate, made with openssl(1).
struct Certificates: Sendable {
  let directory: String

  var caFile: String { "\(directory)/ca.pem" }
  var serverCertificate: String { "\(directory)/server.pem" }
  var serverKey: String { "\(directory)/server.key" }
  var clientCertificate: String { "\(directory)/client.pem" }
  var clientKey: String { "\(directory)/client.key" }
  /// `sha256//…` of the server's public key, as curl's `--pinnedpubkey` takes it.
  let pin: String

  /// Makes all of them in a directory that exists.
  ///
  /// - Throws: ``ProxyError``.
  init(in directory: String, validity: NginxProxy.Validity) async throws(ProxyError) {
    self.directory = directory
    let configuration = "\(directory)/openssl.cnf"
    do {
      try Self.configuration(directory).write(toFile: configuration, atomically: true, encoding: .utf8)
      try "".write(toFile: "\(directory)/index.txt", atomically: true, encoding: .utf8)
      try "01\n".write(toFile: "\(directory)/serial", atomically: true, encoding: .utf8)
    } catch { throw ProxyError("cannot write to \(directory): \(error)") }
    let ca = ["-config", configuration, "-extensions", "authority"]
    try await Self.openssl(
      ["req", "-x509", "-days", "3650", "-subj", "/CN=Baudgate test CA"] + Self.newKey("\(directory)/ca.key") + ca
        + ["-out", "\(directory)/ca.pem"])
    for (name, subject) in [("server", "/CN=localhost"), ("client", "/CN=baudgate")] {
      try await Self.openssl(
        ["req", "-new", "-subj", subject, "-config", configuration] + Self.newKey("\(directory)/\(name).key")
          + ["-out", "\(directory)/\(name).csr"])
      let dates = name == "server" ? validity.dates : NginxProxy.Validity.current.dates
      try await Self.openssl(
        ["ca", "-batch", "-notext", "-config", configuration, "-extensions", name]
          + ["-startdate", dates.start, "-enddate", dates.end]
          + ["-in", "\(directory)/\(name).csr", "-out", "\(directory)/\(name).pem"])
    }
    let publicKey = "\(directory)/server.der"
    let digest = "\(directory)/server.sha256"
    try await Self.openssl(
      ["pkey", "-in", "\(directory)/server.key", "-pubout", "-outform", "der", "-out", publicKey])
    try await Self.openssl(["dgst", "-sha256", "-binary", "-out", digest, publicKey])
    guard let bytes = FileManager.default.contents(atPath: digest), bytes.count == 32 else {
      throw ProxyError("openssl made no digest of the server's key")
    }
    pin = "sha256//" + bytes.base64EncodedString()
  }

  private static func newKey(_ path: String) -> [String] {
    ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]
  }

  private static func openssl(_ arguments: [String]) async throws(ProxyError) {
    let result = try await Command.run("openssl", arguments)
    if result.status != 0 { throw ProxyError("openssl \(arguments[0]) failed: \(result.output)") }
  }

  private static func configuration(_ directory: String) -> String {
    """
    [req]
    distinguished_name = name
    [name]
    [authority]
    basicConstraints = critical,CA:TRUE
    keyUsage = critical,keyCertSign,cRLSign
    subjectKeyIdentifier = hash
    [server]
    basicConstraints = CA:FALSE
    subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
    extendedKeyUsage = serverAuth
    [client]
    basicConstraints = CA:FALSE
    extendedKeyUsage = clientAuth
    [ca]
    default_ca = own
    [own]
    new_certs_dir = \(directory)
    database = \(directory)/index.txt
    serial = \(directory)/serial
    certificate = \(directory)/ca.pem
    private_key = \(directory)/ca.key
    default_md = sha256
    unique_subject = no
    policy = any
    [any]
    commonName = supplied

    """
  }
}

extension NginxProxy.Validity {
  /// As `openssl ca` takes them.
  fileprivate var dates: (start: String, end: String) {
    switch self {
    case .current: ("20200101000000Z", "20490101000000Z")
    case .expired: ("20200101000000Z", "20210101000000Z")
    case .notYet: ("20480101000000Z", "20490101000000Z")
    }
  }
}
