/// Opens what the options name: a line of the kernel's, or a serial server. May wait for seconds: not on the loop.
///
/// - Throws: `PortError`; `.failed` for a `match` that was not resolved to a path.
@Sendable public func openStream(_ options: SerialOptions) throws(PortError) -> any ByteStream {
  switch options.location {
  case .path: try TTY(options)
  case .tcp(let host, let port): try TCPStream(options, host: host, port: port)
  case .match: throw PortError(code: .failed, message: "\(options.path) was not resolved to a device")
  }
}
