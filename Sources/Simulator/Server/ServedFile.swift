/// A file under `/packages/NAME`, as a web server beside ThingsBoard would have it, or as a bad one would.
public struct ServedFile: Sendable, Hashable {
  /// What is wrong with parts of the file.
  public enum RangeFlaw: Sendable, Hashable {
    /// A range is not looked at: 200 with everything.
    case ignored
    /// The part begins that many bytes beside where it was asked for, and says so.
    case shifted(Int)
    /// The part is as it was asked for, and Content-Range says something else.
    case misnamed(String)
    /// If-Range is not looked at: the part of whatever is there now.
    case blind
  }

  public var content: [UInt8]
  public var contentType = "application/octet-stream"
  /// `nil` has no ETag.
  public var etag: String?
  public var flaw: RangeFlaw?
  /// Answers 302 with this Location instead.
  public var redirect: String?

  public init(_ content: [UInt8]) {
    self.content = content
    etag = "\"\(ServedPackage.crc32(content))-\(content.count)\""
  }

  /// - Parameters:
  ///   - range: The request's Range; only `bytes=N-` and `bytes=N-M` are known here.
  ///   - ifRange: Its If-Range.
  func answer(range: String?, ifRange: String?) -> ServerAnswer {
    if let redirect { return ServerAnswer(status: 302, headers: ["Location": redirect]) }
    var answer = ServerAnswer(status: 200, body: content, contentType: contentType, headers: ["Accept-Ranges": "bytes"])
    if let etag { answer.headers["ETag"] = etag }
    if flaw == .ignored { answer.headers["Accept-Ranges"] = nil }
    guard flaw != .ignored, let range, ifRange == nil || ifRange == etag || flaw == .blind else { return answer }
    guard let (first, last) = ends(of: range) else { return answer }
    guard first < content.count else {
      answer.status = 416
      answer.body = []
      answer.headers["Content-Range"] = "bytes */\(content.count)"
      return answer
    }
    var start = first
    if case .shifted(let count)? = flaw { start = min(max(0, first + count), last) }
    answer.status = 206
    answer.body = Array(content[start...last])
    answer.headers["Content-Range"] = "bytes \(start)-\(last)/\(content.count)"
    if case .misnamed(let text)? = flaw { answer.headers["Content-Range"] = text }
    return answer
  }

  private func ends(of range: String) -> (Int, Int)? {
    guard range.hasPrefix("bytes=") else { return nil }
    let parts = range.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let first = Int(parts[0]) else { return nil }
    let last = Int(parts[1]) ?? .max
    return first <= last ? (first, min(last, content.count - 1)) : nil
  }
}
