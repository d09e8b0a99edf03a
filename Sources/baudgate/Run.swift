internal import ArgumentParser
internal import Glibc

/// `baudgate run`: becomes the daemon.
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run the daemon in the foreground.",
    discussion: "Executes baudgated, which stands beside this program or in libexec/baudgate.")

  @OptionGroup var options: ConfigurationOption

  func run() throws {
    let candidates = Self.candidates()
    for path in candidates where access(path, X_OK) == 0 {
      let arguments: [UnsafeMutablePointer<CChar>?] = [strdup(path), strdup(options.config), nil]
      execv(path, arguments)
    }
    throw ValidationError("no baudgated to execute; looked for \(candidates.joined(separator: ", "))")
  }

  private static func candidates() -> [String] {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    guard count > 0 else { return ["/usr/libexec/baudgate/baudgated"] }
    let own = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let directory = own.split(separator: "/").dropLast().map { "/\($0)" }.joined()
    return ["\(directory)/baudgated", "\(directory)/../libexec/baudgate/baudgated", "/usr/libexec/baudgate/baudgated"]
  }
}
