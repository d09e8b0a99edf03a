internal import EventLoop

/// Reads segments one after the other into a batch and remembers where it began and ended.
struct SegmentReader {
  let fileSystem: any FileSystem
  let place: Damage.Place
  let directory: String
  /// From the batch before.
  let hints: [ReadHint]
  /// Everything up to here was acknowledged when the batch was begun.
  let start: UInt64

  private var begin: ReadHint?
  private var end: ReadHint?

  init(fileSystem: any FileSystem, place: Damage.Place, directory: String, hints: [ReadHint], start: UInt64) {
    self.fileSystem = fileSystem
    self.place = place
    self.directory = directory
    self.hints = hints
    self.start = start
  }

  /// For the next batch: where this one began, should it be asked for again, and where it ended.
  var newHints: [ReadHint] { end == nil ? hints : [begin, end].compactMap { $0 } }

  /// Adds the segment's records beyond what `batch` holds, as far as it has room.
  ///
  /// - Parameter file: An open descriptor, or -1 to open the file by its name.
  /// - Returns: Whether the segment was read to its end.
  /// - Throws: `SystemError`; the records before the failure are in `batch`.
  mutating func read(
    _ segment: inout Segment, openAs file: CInt, into batch: inout BatchBuilder, _ damages: inout DamageList
  ) throws(SystemError) -> Bool {
    let path = "\(directory)/\(segment.name.text)"
    let descriptor = file >= 0 ? file : try fileSystem.open(path, .read)
    defer { if file < 0 { fileSystem.close(descriptor) } }
    let hint = hints.last {
      $0.name == segment.name && $0.sequence <= batch.after && $0.offset <= segment.size
    }
    if begin == nil { begin = hint }
    var scanner = SegmentScanner(fileSystem, descriptor, from: hint?.offset ?? 0, end: segment.size)
    var newest = segment.last
    defer { segment.last = newest }
    while true {
      let before = scanner.position
      guard let item = try scanner.next() else { break }
      switch item {
      case .record(let header, let offset):
        guard header.sequence > batch.after else {
          if header.sequence <= start {
            begin = ReadHint(name: segment.name, offset: scanner.position, sequence: header.sequence)
          }
          continue
        }
        guard batch.hasRoom(for: header.length) else {
          end = ReadHint(name: segment.name, offset: before, sequence: batch.after)
          return false
        }
        batch.add(header, try scanner.bytes(offset + RecordFormat.headerSize..<offset + header.size))
        newest = max(newest, header.sequence)
        end = ReadHint(name: segment.name, offset: scanner.position, sequence: batch.after)
      case .damage(let range):
        if !segment.isDamageKnown {
          damages.append(Damage(place: place, path: path, range: range, cause: .damaged))
        }
      case .tail(let range, let tail):
        if !segment.isDamageKnown {
          let whole = range == 0..<segment.size
          damages.append(Damage(place: place, path: path, range: range, cause: .init(tail, isWhole: whole)))
        }
      }
    }
    segment.isDamageKnown = true
    batch.skip(through: segment.last)
    end = ReadHint(name: segment.name, offset: segment.size, sequence: batch.after)
    return true
  }
}

extension Damage.Cause {
  init(_ tail: SegmentScanner.Tail, isWhole: Bool) {
    self =
      switch tail {
      case .torn: .torn
      case .newerVersion(let version): .newerVersion(version)
      case .foreign: isWhole ? .foreign : .damaged
      }
  }
}
