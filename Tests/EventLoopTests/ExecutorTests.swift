import EventLoop
import Foundation
import Testing

/// The loop as the executor of actors and tasks.
@Suite struct ExecutorTests {
  actor Counter {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private(set) var bytes = ""
    init(on loop: EventLoop) { self.loop = loop }

    func threadAcrossAwaits(pool: BlockingPool) async throws -> [pthread_t] {
      var threads = [pthread_self()]
      try await loop.sleep(for: .milliseconds(1), accuracy: .microseconds(1))
      threads.append(pthread_self())
      _ = await pool.run { () throws(Never) -> Int in 1 }
      threads.append(pthread_self())
      await Task.yield()
      threads.append(pthread_self())
      return threads
    }

    func append(_ text: String) { bytes += text }
  }

  @Test func callsRunInTheOrderOfTheirAdding() throws {
    let lines = try onLoop { loop in
      let notes = Notes()
      for number in 1...5 { loop.execute { notes("\(number)") } }
      loop.execute { loop.execute { notes("added while running") } }
      loop.execute { notes("6") }
      await Task.yield()
      await Task.yield()
      return notes.lines
    }
    #expect(lines == ["1", "2", "3", "4", "5", "6", "added while running"])
  }

  @Test func callsFromOtherThreadsArriveOnTheLoopInEachThreadsOrder() throws {
    let (threads, calls) = (8, 500)
    let orders = try onLoop { loop in
      let seen = Holder([[Int]](repeating: [], count: threads))
      let strangers = Holder(0)
      let done = Flag()
      for thread in 0..<threads {
        Thread {
          for call in 0..<calls {
            loop.execute {
              if !loop.isOnLoop { strangers.value = 1 }
              seen.value?[thread].append(call)
              if seen.value?.allSatisfy({ $0.count == calls }) == true { done.signal() }
            }
          }
        }.start()
      }
      await done.wait(on: loop)
      #expect(strangers.value == 0)
      return seen.value ?? []
    }
    #expect(orders == Array(repeating: Array(0..<calls), count: threads))
  }

  @Test func actorsAndTasksStayOnTheLoopsThread() throws {
    let here = pthread_self()
    let pool = BlockingPool(name: "test", threads: 1)
    let threads = try onLoop { loop in
      let before = pthread_self()
      var threads = try await Counter(on: loop).threadAcrossAwaits(pool: pool)
      threads += try await withThrowingTaskGroup(of: pthread_t.self) { group in
        for _ in 0..<4 {
          group.addTask {
            try await loop.sleep(for: .milliseconds(1))
            return pthread_self()
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      return threads + [before, pthread_self()]
    }
    #expect(threads.count == 10)
    #expect(threads.allSatisfy { $0 == here })
  }

  @Test func aSourcesCallbackMayEnterAnActorOfTheLoop() throws {
    let received = try onLoop { loop in
      let counter = Counter(on: loop)
      let sockets = try SocketPair()
      let done = Flag()
      let source = try IOSource(loop, descriptor: sockets.near, events: .readable) { _ in
        let text = sockets.receive()
        counter.assumeIsolated { $0.append(text) }
        done.signal()
      }
      try sockets.send("T=21")
      await done.wait(on: loop)
      withExtendedLifetime(source) {}
      return await counter.bytes
    }
    #expect(received == "T=21")
  }

  @Test func workThatAddsWorkLeavesDescriptorsTheirTurn() throws {
    let turns = try onLoop { loop in
      let sockets = try SocketPair()
      let arrived = Holder(false)
      let source = try IOSource(loop, descriptor: sockets.near, events: .readable) { _ in
        _ = sockets.receive()
        arrived.value = true
      }
      try sockets.send("x")
      var turns = 0
      // Each yield puts this task at the end of the loop's work again.
      while arrived.value == false && turns < 100_000 {
        turns += 1
        await Task.yield()
      }
      return withExtendedLifetime(source) { turns }
    }
    #expect(turns < 10)
  }

  @Test func anErrorOfTheBodyEndsRun() throws {
    struct Mishap: Error {}
    #expect(throws: Mishap.self) { try onLoop { _ in throw Mishap() } }
  }

  @Test func stopFromAnotherThreadEndsRun() throws {
    let loop = try EventLoop()
    loop.execute { Thread { loop.stop() }.start() }
    try loop.run()
    // And it can run again.
    #expect(try loop.run { 7 } == 7)
  }

  @Test func manyLoopsRunBesideEachOther() throws {
    let count = 20
    let results = Results()
    let group = DispatchGroup()
    for number in 0..<count {
      group.enter()
      Thread {
        defer { group.leave() }
        let result = try? onLoop { loop in
          let counter = Counter(on: loop)
          for step in 0..<20 {
            try await loop.sleep(for: .microseconds(200), accuracy: .microseconds(1))
            await counter.append("\(step % 10)")
          }
          return await counter.bytes + " of \(number)"
        }
        results.add(result ?? "failed")
      }.start()
    }
    group.wait()
    #expect(results.sorted == (0..<count).map { "01234567890123456789 of \($0)" }.sorted())
  }

  private final class Results: @unchecked Sendable {
    private let lock = NSLock()
    private var values: [String] = []
    func add(_ value: String) { lock.withLock { values.append(value) } }
    var sorted: [String] { lock.withLock { values.sorted() } }
  }
}
