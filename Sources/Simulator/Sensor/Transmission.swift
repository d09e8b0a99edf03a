/// The bytes on the wire: which go into the next packet, and when it is due. Times are nanoseconds of one clock.
struct Transmission {
  /// A line, or text sent beside the lines.
  struct Item {
    var bytes: [UInt8]
    /// The line's number; `nil` for what is not counted.
    var number: Int?
  }

  /// What is handed over at once.
  struct Packet {
    var bytes: [UInt8] = []
    /// Lines that end in it, with the count of bytes up to their end.
    var ends: [(number: Int, offset: Int)] = []
    var due: UInt64 = 0
  }

  private let timing: WireTiming
  private var item: Item?
  private var position = 0
  private var itemStart: UInt64 = 0
  private var packet = Packet()
  private var lastCompletion: UInt64 = 0
  /// When the wire has carried what was begun.
  private(set) var wireFree: UInt64 = 0

  init(_ timing: WireTiming) { self.timing = timing }

  /// Whether another item can begin: the one before it is in packets.
  var needsItem: Bool { item == nil }

  /// Whether an item that begins then still joins the packet.
  func isJoined(by start: UInt64) -> Bool {
    packet.bytes.isEmpty || (packet.bytes.count < timing.capacity && start + timing.characterTime <= packet.due)
  }

  var hasPacket: Bool { !packet.bytes.isEmpty }

  mutating func begin(_ item: Item, at start: UInt64) {
    guard !item.bytes.isEmpty else { return }
    self.item = item
    position = 0
    itemStart = start
    wireFree = start + UInt64(item.bytes.count) * timing.characterTime
  }

  /// Takes bytes of the item into the packet.
  ///
  /// - Returns: Whether the packet is complete; otherwise the item is used up.
  mutating func fill() -> Bool {
    while let current = item {
      let completion = itemStart + UInt64(position + 1) * timing.characterTime
      if packet.bytes.isEmpty {
        packet.due = completion + timing.latencyTime
      } else if completion > packet.due || packet.bytes.count >= timing.capacity {
        return true
      }
      packet.bytes.append(current.bytes[position])
      lastCompletion = completion
      position += 1
      if position == current.bytes.count {
        if let number = current.number { packet.ends.append((number, packet.bytes.count)) }
        item = nil
      }
    }
    return packet.bytes.count >= timing.capacity
  }

  mutating func takePacket() -> Packet {
    var full = packet
    if full.bytes.count >= timing.capacity { full.due = lastCompletion }
    packet = Packet()
    return full
  }

  /// Moves what is still to come, after a reader held the line up.
  mutating func delay(by lateness: UInt64) {
    itemStart += lateness
    wireFree += lateness
  }

  /// Forgets what is under way.
  ///
  /// - Returns: The numbers of the lines that are cut off.
  mutating func abandon() -> [Int] {
    let numbers = packet.ends.map(\.number) + [item?.number].compactMap { $0 }
    item = nil
    packet = Packet()
    return numbers
  }
}
