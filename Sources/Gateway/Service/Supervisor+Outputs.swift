internal import EventLoop
internal import Hardware
internal import Logging

// MARK: - Outputs while the server is out of reach
extension Supervisor {
  /// Makes `safe_after` what the configuration says. The time the server has been out of reach already counts.
  func changeSilence() {
    guard silence == nil else {
      silence?.look()
      return
    }
    guard configuration.gpio.lines.contains(where: { $0.safeAfter != nil }) else { return }
    do throws(SystemError) {
      silence = try ServerSilence(
        on: loop,
        unreached: { [weak self] duration in
          self?.assumeIsolated { $0.gpio?.assumeIsolated { $0.serverUnreachable(for: duration) } }
        },
        reached: { [weak self] in self?.assumeIsolated { $0.gpio?.assumeIsolated { $0.serverIsBack() } } })
    } catch { log.error("\(error): outputs do not take their safe value while the server is out of reach") }
  }
}
