internal import CKernel
internal import Glibc

extension InstallRecord.RunningCommand {
  private static let lookInterval: useconds_t = 50_000

  /// Ends a command whose installer was killed, with all it started: only one may be at work.
  ///
  /// Nothing happens where the number belongs to another process by now.
  func end(in boot: String) {
    guard boot == self.boot, Self.start(of: process) == start else { return }
    for (signal, patience) in [(SIGTERM, GatedCommand.grace), (SIGKILL, GatedCommand.patience)] {
      kill(-process, signal)
      let end = Machine.bootTime + patience
      while Machine.bootTime < end {
        // Where it is a child of ours, as in a test, it would stay as a zombie.
        waitpid(process, nil, WNOHANG)
        if kill(-process, 0) != 0, errno == ESRCH { return }
        usleep(Self.lookInterval)
      }
    }
  }

  /// When a process started, in clock ticks after the boot; `nil` where there is none, or /proc does not tell.
  ///
  /// Source: proc_pid_stat(5), field 22.
  static func start(of process: Int32) -> Int64? {
    let file = bg_open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var text = [UInt8](repeating: 0, count: 1024)
    let count = read(file, &text, text.count)
    // The second field is a name in brackets that may hold anything.
    guard count > 0, let bracket = text[..<count].lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = String(decoding: text[(bracket + 1)..<count], as: UTF8.self).split(separator: " ")
    return fields.count > 19 ? Int64(fields[19]) : nil
  }
}
