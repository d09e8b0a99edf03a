internal import CKernel

/// One event of inotify(7).
struct InotifyRecord: Hashable {
  var watch: CInt
  var mask: UInt32
  /// The name within a watched directory; empty for what is watched itself.
  var name: String

  init(watch: CInt, mask: UInt32, name: String = "") {
    self.watch = watch
    self.mask = mask
    self.name = name
  }

  func has(_ events: CInt...) -> Bool { events.contains { mask & UInt32($0) != 0 } }

  /// The records of one read(2); what is cut short at the end is left out.
  static func records(_ bytes: UnsafeRawBufferPointer) -> [InotifyRecord] {
    let head = MemoryLayout<inotify_event>.size
    var records: [InotifyRecord] = []
    var rest = bytes[...]
    while rest.count >= head {
      let event = UnsafeRawBufferPointer(rebasing: rest).loadUnaligned(as: inotify_event.self)
      rest = rest.dropFirst(head)
      guard Int(event.len) <= rest.count else { break }
      let name = rest.prefix(Int(event.len)).prefix { $0 != 0 }
      records.append(InotifyRecord(watch: event.wd, mask: event.mask, name: String(decoding: name, as: UTF8.self)))
      rest = rest.dropFirst(Int(event.len))
    }
    return records
  }
}
