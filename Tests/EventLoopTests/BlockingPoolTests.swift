import EventLoop
import Foundation
import Testing

/// Calls that may block, away from the loop.
@Suite struct BlockingPoolTests {
  @Test func oneThreadRunsCallsInOrder() throws {
    let pool = BlockingPool(name: "one", threads: 1)
    let notes = Notes()
    let ended = DispatchSemaphore(value: 0)
    for number in 1...100 { pool.submit { notes("\(number)") } }
    pool.submit { ended.signal() }
    ended.wait()
    #expect(notes.lines == (1...100).map(String.init))
  }

  /// Each waits for the other, so that it ends only if both run at once.
  @Test func twoThreadsRunTwoCallsAtOnce() throws {
    let pool = BlockingPool(name: "two", threads: 2)
    let (here, there) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let ended = DispatchSemaphore(value: 0)
    pool.submit {
      here.signal()
      there.wait()
      ended.signal()
    }
    pool.submit {
      there.signal()
      here.wait()
      ended.signal()
    }
    let outcomes = (0..<2).map { _ in ended.wait(timeout: .now() + 30) }
    #expect(outcomes == [.success, .success])
  }

  @Test func runGivesBackResultsAndErrorsOnTheLoop() throws {
    struct Mishap: Error, Equatable { let number: Int }
    let pool = BlockingPool(name: "results", threads: 2)
    try onLoop { loop in
      let isOnLoop = await pool.run { () throws(Never) -> Bool in loop.isOnLoop }
      #expect(!isOnLoop)
      #expect(loop.isOnLoop)
      await #expect(throws: Mishap(number: 3)) {
        try await pool.run { () throws(Mishap) -> Int in throw Mishap(number: 3) }
      }
      #expect(loop.isOnLoop)
    }
  }

  @Test func theLongestCallIsKnownWhileItRuns() throws {
    let pool = BlockingPool(name: "longest", threads: 1)
    #expect(pool.longestCall == nil)
    let (started, go, ended) = (
      DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)
    )
    pool.submit {
      started.signal()
      go.wait()
    }
    pool.submit { ended.signal() }
    started.wait()
    let first = try #require(pool.longestCall)
    let second = try #require(pool.longestCall)
    #expect(first >= .zero)
    #expect(second >= first)
    #expect(pool.waiting == 1)
    go.signal()
    ended.wait()
    #expect(pool.waiting == 0)
  }

  @Test func itsThreadsBearItsName() throws {
    let name = BlockingPool(name: "baudgate-disk", threads: 1)
    let seen = try onLoop { _ in
      await name.run { () throws(Never) -> String in
        (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? "unknown"
      }
    }
    #expect(seen == "baudgate-disk\n")
  }

  /// What a call captured may go away on the pool's thread; with the mutex held this would never end.
  @Test func whatACallCapturedMaySubmitWhenItGoesAway() throws {
    final class Token: Sendable {
      let (pool, ended): (BlockingPool, DispatchSemaphore)
      init(_ pool: BlockingPool, _ ended: DispatchSemaphore) { (self.pool, self.ended) = (pool, ended) }
      deinit { pool.submit { [ended] in ended.signal() } }
    }
    let pool = BlockingPool(name: "token", threads: 1)
    let ended = DispatchSemaphore(value: 0)
    var token: Token? = Token(pool, ended)
    let (entered, go) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    pool.submit { [token] in
      entered.signal()
      go.wait()
      _ = token
    }
    entered.wait()
    token = nil
    go.signal()
    #expect(ended.wait(timeout: .now() + 30) == .success)
  }
}
