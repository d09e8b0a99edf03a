import Foundation

/// Tests/Support/faults.c, preloaded into the daemon.
enum Interposer {
  /// Built once; `nil` where cc cannot.
  static let library: String? = {
    let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Support/faults.c").path
    let library = NSTemporaryDirectory() + "/baudgate-faults-\(getpid()).so"
    let build = try? DaemonProcess.run(["/usr/bin/cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"])
    return build?.status == 0 ? library : nil
  }()

  /// Where a process is ended: before or after the Nth durable step of paths that hold a word.
  struct Kill: Sendable, Hashable, CustomStringConvertible {
    var step: Int
    var isAfter: Bool
    var description: String { isAfter ? "after step \(step)" : "before step \(step)" }

    /// What the daemon's environment is to hold.
    ///
    /// - Parameter match: Words and their `$`, faults.c.
    func environment(_ library: String, match: String) -> [String: String] {
      ["LD_PRELOAD": library, "BAUDGATE_KILL_MATCH": match, "BAUDGATE_KILL_AT": isAfter ? "\(step)+" : "\(step)"]
    }
  }
}
