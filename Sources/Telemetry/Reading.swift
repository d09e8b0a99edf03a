/// One value of one key, as a decoder found it.
public struct Reading: Sendable, Hashable {
  public var key: Key
  public var value: Value
  public init(_ key: Key, _ value: Value) {
    self.key = key
    self.value = value
  }
}

/// One sensor's readings of one instant.
public struct Sample: Sendable, Hashable {
  public var time: CaptureTime
  public var readings: [Reading]
  public init(time: CaptureTime, readings: [Reading]) {
    self.time = time
    self.readings = readings
  }
}
