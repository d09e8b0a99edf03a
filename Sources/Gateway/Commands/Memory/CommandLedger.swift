internal import EventLoop

/// The durable side of `CommandMemory`: steps of commands with lasting effect, written on a thread of its own, in order.
struct CommandLedger: Sendable {
  private let storage: any CommandStorage
  private let pool: BlockingPool
  private let loader: BlockingPool

  /// - Parameters:
  ///   - pool: One thread, for ledgers alone: neither a stalled port nor the queue's card writes stand before a command.
  ///   - loader: Where the file is read at the start; `pool` without one. Another's thread saves this ledger's own until
  ///     the first command.
  init(
    _ storage: any CommandStorage, pool: BlockingPool = BlockingPool(name: "commands", threads: 1),
    loader: BlockingPool? = nil
  ) {
    self.storage = storage
    self.pool = pool
    self.loader = loader ?? pool
  }

  /// The file `commands` of a state directory.
  init(
    stateDirectory: String, pool: BlockingPool = BlockingPool(name: "commands", threads: 1),
    loader: BlockingPool? = nil
  ) {
    self.init(CommandFile(path: "\(stateDirectory)/commands"), pool: pool, loader: loader)
  }

  /// To be called before anything else.
  func load() async -> CommandRecovery {
    await loader.run { [storage] in storage.load() }
  }

  /// Returns when a restart would know that the command was begun.
  ///
  /// - Throws: `SystemError`; the command must not run then.
  func begin(_ key: CommandKey) async throws(SystemError) {
    try await append(CommandRecord(kind: .started, key: key))
  }

  /// Returns when a restart would know the reply.
  func finish(_ key: CommandKey, reply: [UInt8]) async throws(SystemError) {
    try await append(CommandRecord(kind: .finished, key: key, payload: reply))
  }

  /// Notes that nobody will ask for the commands any more.
  ///
  /// Synced, by the next command's record where one waits: a power cut that meets the server as well frees the number,
  /// and what is a new command then must not be taken for this one. The card would be written to within half a minute
  /// anyhow.
  func close(_ keys: [CommandKey]) {
    guard let last = keys.last else { return }
    pool.submit { [storage, pool] in
      for key in keys {
        let isDurable = key == last && pool.waiting == 0
        // A failure shows with the next record that has to last, which is not carried out then.
        try? storage.append(CommandRecord(kind: .closed, key: key), isDurable: isDurable)
      }
    }
  }

  /// Makes the file one that can be written, where an earlier write has failed.
  ///
  /// - Throws: `SystemError`, where it still cannot.
  func mend() async throws(SystemError) {
    try await pool.run { [storage] () throws(SystemError) in try storage.mend() }
  }

  /// Returns when all that was asked for is written.
  func shutDown() async {
    await pool.run { [storage] in storage.close() }
  }

  /// How long a call has been going on; `nil` while none does.
  var longestCall: Duration? { pool.longestCall }

  private func append(_ record: CommandRecord) async throws(SystemError) {
    try await pool.run { [storage] () throws(SystemError) in try storage.append(record, isDurable: true) }
  }
}
