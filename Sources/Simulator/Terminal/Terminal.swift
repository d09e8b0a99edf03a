internal import Foundation

/// A person's terminal: a picture that is redrawn in place, and single keys.
final class Terminal {
  private var before = termios()
  private var isOpen = false

  /// Whether a person sits at both ends.
  static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }

  /// Switches to the alternate screen, without echo and without waiting for line ends.
  func open() {
    guard !isOpen, tcgetattr(STDIN_FILENO, &before) == 0 else { return }
    var settings = before
    settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
    tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    isOpen = true
    put("\u{1B}[?1049h\u{1B}[?25l")
  }

  /// Gives the terminal back as it was.
  func close() {
    guard isOpen else { return }
    isOpen = false
    put("\u{1B}[?25h\u{1B}[?1049l")
    tcsetattr(STDIN_FILENO, TCSANOW, &before)
  }

  /// Replaces the picture. Nothing is cleared first, and a terminal that knows synchronized output (mode 2026) shows it at
  /// once: no flicker.
  func draw(_ lines: [String]) {
    let shown = lines.prefix(size.rows).map { $0 + "\u{1B}[0m\u{1B}[K" }
    put("\u{1B}[?2026h\u{1B}[H" + shown.joined(separator: "\r\n") + "\u{1B}[J\u{1B}[?2026l")
  }

  var size: (columns: Int, rows: Int) {
    var window = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
      return (80, 24)
    }
    return (Int(window.ws_col), Int(window.ws_row))
  }

  private func put(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count < 0 && errno != EINTR && errno != EAGAIN { return }
      rest = rest.dropFirst(max(0, count))
    }
  }
}
