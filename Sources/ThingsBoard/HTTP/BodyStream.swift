/// An answer's body between libcurl and who reads it: never more than a window and a piece in memory.
///
/// Source: curl_easy_pause(3), CURLOPT_WRITEFUNCTION(3).
// @unchecked: used on the loop alone.
final class BodyStream: @unchecked Sendable {
  /// What a reader gets.
  enum Step {
    case bytes([UInt8])
    /// The end, whole or not; the response's body holds what was refused.
    case end(Result<HTTPResponse, HTTPFailure>)
  }

  /// Bytes that wait for the reader before the server has to.
  static let window = 256 << 10

  /// Status and headers, once the first bytes or the end have come.
  var head: HTTPResponse?
  /// Told when there is room again after there was none.
  var onRoom: (() -> Void)?
  private var waiting: [UInt8] = []
  private var isPaused = false
  private var outcome: Result<HTTPResponse, HTTPFailure>?
  private var reader: CheckedContinuation<Void, Never>?

  /// - Returns: Whether the bytes were taken; if not, the same ones have to come again.
  func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard waiting.isEmpty || waiting.count + bytes.count <= Self.window else {
      isPaused = true
      return false
    }
    waiting.append(contentsOf: bytes)
    wake()
    return true
  }

  func end(_ result: Result<HTTPResponse, HTTPFailure>) {
    outcome = result
    onRoom = nil
    wake()
  }

  /// The next bytes, or the end behind the last of them.
  func next(isolation: isolated (any Actor)? = #isolation) async -> Step {
    while true {
      if !waiting.isEmpty {
        let bytes = waiting
        waiting = []
        if isPaused {
          isPaused = false
          onRoom?()
        }
        return .bytes(bytes)
      }
      if let outcome { return .end(outcome) }
      await withCheckedContinuation { reader = $0 }
    }
  }

  private func wake() {
    reader?.resume()
    reader = nil
  }
}
