internal import ThingsBoard

/// Access tokens of our own making.
enum AccessToken {
  /// Letters and digits: 190 bits, more than an AES key, and nothing to encode in a path.
  static let length = 32

  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)

  /// Draws a token from the kernel's generator, getrandom(2). May block early in a board's first start.
  static func random() -> Secret {
    var generator = SystemRandomNumberGenerator()
    return random(using: &generator)
  }

  static func random(using generator: inout some RandomNumberGenerator) -> Secret {
    let bytes = (0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }
    return Secret(String(decoding: bytes, as: UTF8.self))
  }
}
