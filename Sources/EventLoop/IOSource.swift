internal import CSystemd
internal import Glibc

/// Readiness of one descriptor. Belongs to whoever owns the descriptor and is dropped before it is closed.
public final class IOSource {
  /// What a descriptor is ready for, epoll_ctl(2).
  public struct Events: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let readable = Events(rawValue: UInt32(EPOLLIN.rawValue))
    public static let writable = Events(rawValue: UInt32(EPOLLOUT.rawValue))
    public static let priority = Events(rawValue: UInt32(EPOLLPRI.rawValue))
    /// Reported whether asked for or not.
    public static let hangup = Events(rawValue: UInt32(EPOLLHUP.rawValue))
    /// Reported whether asked for or not.
    public static let error = Events(rawValue: UInt32(EPOLLERR.rawValue))
  }

  private var source: OpaquePointer?
  private let handler: (Events) -> Void

  /// Watches `descriptor`, level-triggered, until the source is released.
  ///
  /// - Parameter handler: Called on the loop. It does not keep the source alive, nor should it hold its owner strongly.
  /// - Throws: `SystemError`; `EPERM` for a regular file, `EEXIST` for a descriptor watched already.
  public init(
    _ loop: EventLoop, descriptor: CInt, events: Events, handler: @escaping (Events) -> Void
  ) throws(SystemError) {
    self.handler = handler
    // Borrowed: deinit removes the source before self is gone.
    let context = Unmanaged.passUnretained(self).toOpaque()
    try check(
      "sd_event_add_io",
      sd_event_add_io(loop.event, &source, descriptor, events.rawValue, descriptorIsReady, context))
  }

  deinit { sd_event_source_disable_unref(source) }

  /// Changes what is waited for; an empty set still reports hang-ups and errors.
  public func wait(for events: Events) throws(SystemError) {
    try check("sd_event_source_set_io_events", sd_event_source_set_io_events(source, events.rawValue))
  }

  /// Stops (or resumes) the reports altogether, hang-ups too.
  public func setEnabled(_ enabled: Bool) throws(SystemError) {
    try check(
      "sd_event_source_set_enabled",
      sd_event_source_set_enabled(source, enabled ? CInt(SD_EVENT_ON) : CInt(SD_EVENT_OFF)))
  }

  fileprivate func dispatch(_ events: UInt32) {
    // The handler may release the source.
    withExtendedLifetime(self) { handler(Events(rawValue: events)) }
  }
}

/// A negative result would make sd-event disable the source.
private func descriptorIsReady(
  _: OpaquePointer?, _: CInt, _ events: UInt32, _ context: UnsafeMutableRawPointer?
) -> CInt {
  guard let context else { return 0 }
  Unmanaged<IOSource>.fromOpaque(context).takeUnretainedValue().dispatch(events)
  return 0
}
