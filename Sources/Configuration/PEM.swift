/// The lines of a text with PEM in it, white space at their ends left out.
func pemLines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
  bytes.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.map { line in
    var line = line
    while let last = line.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { line.removeLast() }
    return line
  }
}

/// What stands in a PEM file: `CERTIFICATE`, `RSA PRIVATE KEY`. Source: RFC 7468, 2.
func pemLabels(_ bytes: [UInt8]) -> [String] {
  let (start, end) = (Array("-----BEGIN ".utf8), Array("-----".utf8))
  return pemLines(bytes).compactMap { line in
    guard line.starts(with: start), line.suffix(end.count).elementsEqual(end) else { return nil }
    return String(decoding: line.dropFirst(start.count).dropLast(end.count), as: UTF8.self)
  }
}
