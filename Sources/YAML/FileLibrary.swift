/// Where a document finds the other files it names and that are read with it, such as register maps.
public protocol FileLibrary: Sendable {
  /// Reads a file, which may block.
  ///
  /// - Parameter name: As the document says it: a bare name or a path.
  func file(named name: String) throws(LibraryFailure) -> LibraryFile
}

/// A file that was found.
public struct LibraryFile: Sendable {
  /// As messages call it.
  public let path: String
  public let bytes: [UInt8]

  public init(path: String, bytes: [UInt8]) {
    self.path = path
    self.bytes = bytes
  }
}

/// Why a file was not read.
public struct LibraryFailure: Error, Sendable {
  /// To be read behind its name: what is wrong, and what to do.
  public let message: String
  public init(_ message: String) { self.message = message }
}
