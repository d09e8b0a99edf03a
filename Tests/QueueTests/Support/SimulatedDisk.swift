import EventLoop
import Foundation

@testable import Queue

/// A file system in memory that forgets what was not synced when the power goes, fails when it is told to, and stalls.
///
/// Everything under `/run` is tmpfs: a power cut empties it. Elsewhere contents are durable in blocks after
/// `synchronizeData`, names after `synchronizeDirectory` of their directory. A failed sync drops the dirty marks, as
/// Linux does: a later success does not bring those blocks to the card.
final class SimulatedDisk: FileSystem, @unchecked Sendable {
  // @unchecked: all state is guarded by `lock`.
  static let blockSize = 512

  final class Node {
    var current: [UInt8] = []
    var durable: [UInt8] = []
    var dirty: Set<Int> = []

    func markDirty(_ range: Range<Int>) {
      guard !range.isEmpty else { return }
      dirty.formUnion(range.lowerBound / blockSize...(range.upperBound - 1) / blockSize)
    }

    func synchronize() {
      if durable.count > current.count { durable.removeSubrange(current.count...) }
      durable += [UInt8](repeating: 0, count: current.count - durable.count)
      for block in dirty {
        let end = min((block + 1) * blockSize, current.count)
        let range = min(block * blockSize, end)..<end
        if !range.isEmpty { durable.replaceSubrange(range, with: current[range]) }
      }
      dirty = []
    }
  }

  private struct OpenFile {
    var node: Node
    var appends: Bool
    var path: String
  }

  private let lock = NSCondition()
  private var entries: [String: Node] = [:]
  private var durableEntries: [String: Node] = [:]
  private var directories: Set<String> = ["", "/", "/run", "/var"]
  private var durableDirectories: Set<String> = ["", "/", "/run", "/var"]
  private var files: [CInt: OpenFile] = [:]
  private var nextFile: CInt = 3
  private var calls: [String: Int] = [:]
  private var journal: [String] = []
  private var mutations = 0
  private var failAt: (call: Int, errno: CInt, keepsFailing: Bool)?
  private var faults: [(path: String, calls: Set<String>, errno: CInt)] = []
  private var room: [String: Int] = [:]
  private var stalled: Set<String> = []
  private var waiting = 0

  // MARK: What tests turn

  /// The process dies: descriptors go, everything written stays.
  func kill() { lock.withLock { files = [:] } }

  /// The machine starts anew after an orderly stop: tmpfs is empty, everything else stays.
  func reboot() {
    lock.withLock {
      files = [:]
      entries = entries.filter { !$0.key.hasPrefix("/run/") }
      directories = directories.filter { !$0.hasPrefix("/run/") }
    }
  }

  /// Somebody removes a directory and all in it; who has a file open keeps it.
  func wipe(_ path: String) {
    lock.withLock {
      entries = entries.filter { !$0.key.hasPrefix(path + "/") }
      directories = directories.filter { $0 != path && !$0.hasPrefix(path + "/") }
    }
  }

  /// The power goes: tmpfs is empty, and of what was not synced a random part is left.
  func cutPower(using generator: inout some RandomNumberGenerator) {
    lock.lock()
    defer { lock.unlock() }
    files = [:]
    for path in Set(entries.keys).union(durableEntries.keys).sorted() {
      if path.hasPrefix("/run/") {
        entries[path] = nil
      } else if entries[path] !== durableEntries[path], Bool.random(using: &generator) {
        entries[path] = durableEntries[path]
      }
    }
    for directory in directories.sorted() where directory.hasPrefix("/run/") { directories.remove(directory) }
    for directory in directories.subtracting(durableDirectories).sorted() where !directory.hasPrefix("/run") {
      guard Bool.random(using: &generator) else { continue }
      directories.remove(directory)
      for path in entries.keys where path.hasPrefix(directory + "/") { entries[path] = nil }
    }
    var seen: Set<ObjectIdentifier> = []
    for path in entries.keys.sorted() {
      guard let node = entries[path], seen.insert(ObjectIdentifier(node)).inserted else { continue }
      tear(node, &generator)
    }
    durableEntries = entries
    durableDirectories = directories
  }

  private func tear(_ node: Node, _ generator: inout some RandomNumberGenerator) {
    guard node.current != node.durable || !node.dirty.isEmpty else { return }
    let sizes = [node.durable.count, node.current.count].sorted()
    let size = Int.random(in: sizes[0]...sizes[1], using: &generator)
    var result = Array(node.durable.prefix(size))
    result += [UInt8](repeating: 0, count: size - result.count)
    for block in node.dirty.sorted() where Bool.random(using: &generator) {
      let end = min((block + 1) * Self.blockSize, size, node.current.count)
      let range = min(block * Self.blockSize, end)..<end
      if !range.isEmpty { result.replaceSubrange(range, with: node.current[range]) }
    }
    node.current = result
    node.durable = result
    node.dirty = []
  }

  /// The `call`th call from now that changes anything fails, and those after it too if `keepsFailing`.
  func fail(at call: Int, errno: CInt, keepsFailing: Bool = false) {
    lock.withLock {
      mutations = 0
      failAt = (call, errno, keepsFailing)
    }
  }

  /// Whether the failure that was asked for has come.
  var hasFailed: Bool { lock.withLock { failAt.map { mutations >= $0.call } ?? false } }

  func failNoMore() {
    lock.withLock {
      failAt = nil
      faults = []
    }
  }

  /// `calls` on paths that begin with `path` fail until `failNoMore`.
  func fail(_ calls: Set<String>, under path: String, errno: CInt) {
    lock.withLock { faults.append((path, calls, errno)) }
  }

  static let changes: Set<String> = [
    "create", "write", "pwrite", "ftruncate", "fdatasync", "fsync", "rename", "unlink", "mkdir",
  ]

  /// At most so many bytes fit under `path`.
  func limit(_ path: String, to bytes: Int?) { lock.withLock { room[path] = bytes } }

  /// `call` blocks until `resume`.
  func stall(_ call: String) { lock.withLock { _ = stalled.insert(call) } }

  func resume() {
    lock.withLock {
      stalled = []
      lock.broadcast()
    }
  }

  /// Blocks until a call is stalled.
  func waitForStall() {
    lock.withLock { while waiting == 0 { lock.wait() } }
  }

  // MARK: What tests see

  subscript(path: String) -> [UInt8]? {
    get { lock.withLock { entries[path]?.current } }
    set {
      lock.withLock {
        guard let bytes = newValue else {
          entries[path] = nil
          durableEntries[path] = nil
          return
        }
        var directory = parent(of: path)
        while !directory.isEmpty {
          directories.insert(directory)
          durableDirectories.insert(directory)
          directory = parent(of: directory)
        }
        let node = Node()
        node.current = bytes
        node.durable = bytes
        entries[path] = node
        durableEntries[path] = node
      }
    }
  }

  func paths(under directory: String) -> [String] {
    lock.withLock { entries.keys.filter { $0.hasPrefix(directory + "/") }.sorted() }
  }

  func segments(under directory: String) -> [String] { paths(under: directory).filter { $0.hasSuffix(".seg") } }

  /// How often each call was made on paths under `/run` and elsewhere since `forgetCalls`, as `write /run`.
  var callCounts: [String: Int] { lock.withLock { calls } }

  /// The calls that changed something outside `/run`, in order: `fdatasync /var/…`.
  var cardJournal: [String] { lock.withLock { journal } }

  func forgetCalls() {
    lock.withLock {
      calls = [:]
      journal = []
    }
  }

  // MARK: FileSystem

  func open(_ path: String, _ mode: FileMode) throws(SystemError) -> CInt {
    try locked("open", path) { () throws(SystemError) in
      let exists = entries[path] != nil
      if case .read = mode, !exists { throw SystemError("open", errno: ENOENT) }
      if case .createNew = mode, exists { throw SystemError("open", errno: EEXIST) }
      if !exists {
        guard directories.contains(parent(of: path)) else { throw SystemError("open", errno: ENOENT) }
        try change("create", "open", path)
        entries[path] = Node()
      }
      guard let node = entries[path] else { throw SystemError("open", errno: ENOENT) }
      let file = nextFile
      nextFile += 1
      let appends =
        switch mode {
        case .append, .createNew: true
        case .read, .update: false
        }
      files[file] = OpenFile(node: node, appends: appends, path: path)
      return file
    }
  }

  func close(_ file: CInt) { lock.withLock { files[file] = nil } }

  func append(_ file: CInt, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
    try withFile(file, "write") { open throws(SystemError) in
      try change("write", "write", open.path)
      let count = try fitting(bytes.count, open.path, "write")
      open.node.markDirty(open.node.current.count..<open.node.current.count + count)
      open.node.current += bytes.prefix(count)
      return count
    }
  }

  func write(_ file: CInt, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) -> Int {
    try withFile(file, "pwrite") { open throws(SystemError) in
      try change("pwrite", "pwrite", open.path)
      let node = open.node
      let end = offset + bytes.count
      if end > node.current.count {
        _ = try fitting(end - node.current.count, open.path, "pwrite")
        node.markDirty(node.current.count..<end)
        node.current += [UInt8](repeating: 0, count: end - node.current.count)
      }
      node.current.replaceSubrange(offset..<end, with: bytes)
      node.markDirty(offset..<end)
      return bytes.count
    }
  }

  func read(
    _ file: CInt, into bytes: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    try withFile(file, "pread") { open throws(SystemError) in
      let content = open.node.current
      guard offset < content.count else { return 0 }
      let count = min(bytes.count, content.count - offset)
      bytes.copyBytes(from: content[offset..<offset + count])
      return count
    }
  }

  func size(_ file: CInt) throws(SystemError) -> Int {
    try withFile(file, "fstat") { open throws(SystemError) in open.node.current.count }
  }

  func size(at path: String) throws(SystemError) -> Int {
    try locked("stat", path) { () throws(SystemError) in
      guard let node = entries[path] else { throw SystemError("stat", errno: ENOENT) }
      return node.current.count
    }
  }

  func truncate(_ file: CInt, to size: Int) throws(SystemError) {
    try withFile(file, "ftruncate") { open throws(SystemError) in
      try change("ftruncate", "ftruncate", open.path)
      let node = open.node
      if size < node.current.count {
        node.current.removeSubrange(size...)
      } else {
        node.current += [UInt8](repeating: 0, count: size - node.current.count)
      }
    }
  }

  func synchronizeData(_ file: CInt) throws(SystemError) {
    try withFile(file, "fdatasync") { open throws(SystemError) in
      do throws(SystemError) { try change("fdatasync", "fdatasync", open.path) } catch {
        open.node.dirty = []
        throw error
      }
      open.node.synchronize()
    }
  }

  func synchronizeDirectory(_ path: String) throws(SystemError) {
    try locked("fsync", path) { () throws(SystemError) in
      guard directories.contains(path) else { throw SystemError("open", errno: ENOENT) }
      try change("fsync", "fsync", path)
      for name in Set(entries.keys).union(durableEntries.keys) where parent(of: name) == path {
        durableEntries[name] = entries[name]
      }
      for name in directories where parent(of: name) == path { durableDirectories.insert(name) }
    }
  }

  func rename(_ path: String, to newPath: String) throws(SystemError) {
    try locked("rename", path) { () throws(SystemError) in
      guard let node = entries[path] else { throw SystemError("rename", errno: ENOENT) }
      try change("rename", "rename", path)
      entries[path] = nil
      entries[newPath] = node
    }
  }

  func unlink(_ path: String) throws(SystemError) {
    try locked("unlink", path) { () throws(SystemError) in
      guard entries[path] != nil else { throw SystemError("unlink", errno: ENOENT) }
      try change("unlink", "unlink", path)
      entries[path] = nil
    }
  }

  func list(_ directory: String) throws(SystemError) -> [String] {
    try locked("opendir", directory) { () throws(SystemError) in
      guard directories.contains(directory) else { throw SystemError("opendir", errno: ENOENT) }
      let names = Array(entries.keys) + Array(directories)
      return names.filter { parent(of: $0) == directory && !$0.isEmpty && $0 != "/" }
        .map { String($0.dropFirst(directory.count + 1)) }
    }
  }

  func makeDirectory(_ path: String) throws(SystemError) {
    try locked("mkdir", path) { () throws(SystemError) in
      if directories.contains(path) { throw SystemError("mkdir", errno: EEXIST) }
      guard directories.contains(parent(of: path)) else { throw SystemError("mkdir", errno: ENOENT) }
      try change("mkdir", "mkdir", path)
      directories.insert(path)
    }
  }

  // MARK: Under the lock

  private func locked<Result>(
    _ call: String, _ path: String, _ body: () throws(SystemError) -> Result
  ) throws(SystemError) -> Result {
    lock.lock()
    defer { lock.unlock() }
    calls["\(call) \(path.hasPrefix("/run") ? "/run" : "/var")", default: 0] += 1
    while stalled.contains(call) {
      waiting += 1
      lock.broadcast()
      lock.wait()
      waiting -= 1
    }
    for fault in faults where path.hasPrefix(fault.path) && fault.calls.contains(call) {
      throw SystemError(call, errno: fault.errno)
    }
    return try body()
  }

  private func withFile<Result>(
    _ file: CInt, _ call: String, _ body: (OpenFile) throws(SystemError) -> Result
  ) throws(SystemError) -> Result {
    let path = lock.withLock { files[file]?.path ?? "" }
    return try locked(call, path) { () throws(SystemError) in
      guard let open = files[file] else { throw SystemError(call, errno: EBADF) }
      return try body(open)
    }
  }

  /// Counts a call that changes something, and fails it when its turn has come.
  private func change(_ kind: String, _ call: String, _ path: String) throws(SystemError) {
    for fault in faults where path.hasPrefix(fault.path) && fault.calls.contains(kind) {
      throw SystemError(call, errno: fault.errno)
    }
    mutations += 1
    if let failAt, mutations == failAt.call || failAt.keepsFailing && mutations > failAt.call {
      throw SystemError(call, errno: failAt.errno)
    }
    if !path.hasPrefix("/run") { journal.append("\(kind) \(path)") }
  }

  /// How many of `count` more bytes still fit.
  private func fitting(_ count: Int, _ path: String, _ call: String) throws(SystemError) -> Int {
    for (prefix, limit) in room where path.hasPrefix(prefix) {
      let used = entries.reduce(0) { $1.key.hasPrefix(prefix) ? $0 + $1.value.current.count : $0 }
      let left = max(0, limit - used)
      if left < count {
        guard left > 0, call == "write" else { throw SystemError(call, errno: ENOSPC) }
        return left
      }
    }
    return count
  }
}
