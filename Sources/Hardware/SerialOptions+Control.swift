internal import CKernel
internal import EventLoop

/// RS-485, DTR and RTS, low latency: a line without one of them opens all the same. What came of it stands in the granted
/// options, and the log says where that is less than was asked for.
extension SerialOptions {
  /// Comes right after open(2), which raises DTR and RTS (tty_port_block_til_ready in drivers/tty/tty_port.c): the wrong
  /// level lasts for the time between these two calls. Setting the rate leaves both alone.
  func setModemLinesAndRS485(by control: any LineControl) {
    let (raised, lowered) = modemLines
    if raised | lowered != 0 { try? control.setModemLines(raised: raised, lowered: lowered) }
    // Before the rate is set: with RTS raised by the opening our transmitter may hold the bus.
    if let rs485 { try? control.setRS485(rs485.line) }
  }

  /// Comes when the line is set up: asks for low latency, and reads back what the driver made of all of it.
  ///
  /// - Returns: `granted` with `rs485`, `dtr`, `rts` and `isLowLatency` as they are, where they were asked for; `nil` or
  ///   `false` for what the line does not have.
  func completing(_ granted: SerialOptions, by control: any LineControl) -> SerialOptions {
    var granted = granted
    if let rs485 {
      let line = try? control.rs485()
      granted.rs485 = line.flatMap { $0.enabled != 0 ? rs485.granted($0) : nil }
    }
    if dtr != nil || rts != nil {
      let raised = try? control.modemLines()
      granted.dtr = dtr == nil ? nil : raised.map { $0 & bg_modem_dtr.rawValue != 0 }
      granted.rts = rts == nil ? nil : raised.map { $0 & bg_modem_rts.rawValue != 0 }
    }
    if isLowLatency {
      try? control.setLowLatency()
      granted.isLowLatency = (try? control.isLowLatency()) ?? false
    }
    return granted
  }

  private var modemLines: (raised: UInt32, lowered: UInt32) {
    var (raised, lowered): (UInt32, UInt32) = (0, 0)
    for (line, level) in [(bg_modem_dtr.rawValue, dtr), (bg_modem_rts.rawValue, rts)] {
      if level == true { raised |= line }
      if level == false { lowered |= line }
    }
    return (raised, lowered)
  }
}

extension RS485Options {
  fileprivate var line: bg_rs485 {
    bg_rs485(
      enabled: 1, rts_on_send: rtsOnSend ? 1 : 0, rx_during_tx: receivesOwn ? 1 : 0,
      delay_before_ms: UInt32(clamping: delayBefore.wholeMilliseconds),
      delay_after_ms: UInt32(clamping: delayAfter.wholeMilliseconds))
  }

  fileprivate func granted(_ line: bg_rs485) -> RS485Options {
    var granted = self
    granted.rtsOnSend = line.rts_on_send != 0
    granted.receivesOwn = line.rx_during_tx != 0
    granted.delayBefore = .milliseconds(Int64(line.delay_before_ms))
    granted.delayAfter = .milliseconds(Int64(line.delay_after_ms))
    return granted
  }

  /// Where the granted mode is not the wanted one, in words.
  func shortcomings(of granted: RS485Options) -> [String] {
    var found: [String] = []
    if granted.rtsOnSend != rtsOnSend { found.append("rts_on_send \(granted.rtsOnSend) instead of \(rtsOnSend)") }
    if granted.receivesOwn != receivesOwn {
      found.append("receive_own \(granted.receivesOwn) instead of \(receivesOwn)")
    }
    for (name, wanted, got) in [
      ("delay_before", delayBefore, granted.delayBefore), ("delay_after", delayAfter, granted.delayAfter),
    ] where got != wanted {
      found.append("\(name) \(got.wholeMilliseconds)ms instead of \(wanted.wholeMilliseconds)ms")
    }
    return found
  }
}
