/// Cuts bytes that come in pieces of any length and alignment into whole blocks.
struct BlockBuffer {
  private let size: Int
  /// What no block is whole with yet; shorter than one.
  private(set) var rest: ArraySlice<UInt8> = []

  init(size: Int) { self.size = size }

  /// - Parameter consume: Gets each block in turn; its bytes may lie at any address.
  mutating func take(_ bytes: UnsafeRawBufferPointer, _ consume: (UnsafeRawBufferPointer) -> Void) {
    var bytes = bytes[...]
    if !rest.isEmpty {
      let missing = bytes.prefix(size - rest.count)
      rest += missing
      bytes = bytes.dropFirst(missing.count)
      guard rest.count == size else { return }
      rest.withUnsafeBytes { consume($0) }
    }
    let whole = bytes.count - bytes.count % size
    for offset in stride(from: 0, to: whole, by: size) {
      consume(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(offset).prefix(size)))
    }
    rest = Array(bytes.dropFirst(whole))[...]
  }
}
