internal import ArgumentParser
internal import Simulator

/// `10:5`: from the tenth second on, for five.
struct Cut: ExpressibleByArgument {
  let start: Duration
  let length: Duration

  init?(argument: String) {
    let parts = argument.split(separator: ":").map { Double($0) }
    guard parts.count == 2, let start = parts[0], let length = parts[1], start >= 0, length > 0, start + length < 1e9
    else { return nil }
    self.start = .seconds(start)
    self.length = .seconds(length)
  }

  func contains(_ time: Duration) -> Bool { time >= start && time < start + length }
}

/// `key:secret`
struct ProvisioningKey: ExpressibleByArgument {
  let key: String
  let secret: String

  init?(argument: String) {
    guard let (key, secret) = halves(of: argument, at: ":") else { return nil }
    self.key = key
    self.secret = secret
  }
}

/// `name:token`
struct DeviceToken: ExpressibleByArgument {
  let name: String
  let token: String

  init?(argument: String) {
    guard let (name, token) = halves(of: argument, at: ":") else { return nil }
    self.name = name
    self.token = token
  }
}

/// `method=json`
struct CallRule: ExpressibleByArgument {
  let method: String
  let answer: String

  init?(argument: String) {
    guard let (method, answer) = halves(of: argument, at: "=") else { return nil }
    self.method = method
    self.answer = answer
  }
}

struct CredentialsArgument: ExpressibleByArgument {
  let type: ProvisioningProfile.CredentialsType

  init?(argument: String) {
    guard let type = ProvisioningProfile.CredentialsType(rawValue: argument) else { return nil }
    self.type = type
  }
}

private func halves(of text: String, at separator: Character) -> (String, String)? {
  guard let index = text.firstIndex(of: separator) else { return nil }
  let (first, second) = (text[..<index], text[text.index(after: index)...])
  return first.isEmpty || second.isEmpty ? nil : (String(first), String(second))
}
