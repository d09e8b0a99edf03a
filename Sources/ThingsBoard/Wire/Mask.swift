/// The secrets a request knows, masked wherever a server, a proxy or libcurl repeats one.
struct Mask: Sendable {
  private let secrets: [Secret]

  /// - Parameter secrets: A short one may stand in a long one, so the long ones go first.
  init(_ secrets: [Secret]) {
    self.secrets = secrets.sorted { $0.reveal().utf8.count > $1.reveal().utf8.count }
  }

  func callAsFunction(_ text: String) -> String {
    secrets.reduce(text) { text, secret in secret.masked(in: text) }
  }

  static func + (mask: Mask, more: [Secret]) -> Mask { Mask(mask.secrets + more) }
}
