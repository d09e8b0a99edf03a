import EventLoop
import Foundation
import Testing

/// Timers and sleeping.
@Suite struct TimerTests {
  @Test func aTimerFiresOnceEachTimeItIsArmed() throws {
    let fired = try onLoop { loop in
      let fired = Holder(0)
      let flags = [Flag(), Flag()]
      let timer = try TimerSource(loop, accuracy: .microseconds(1)) {
        fired.value = (fired.value ?? 0) + 1
        flags[(fired.value ?? 0) - 1].signal()
      }
      #expect(!timer.isArmed)
      timer.arm(after: .milliseconds(1))
      #expect(timer.isArmed)
      await flags[0].wait(on: loop)
      #expect(!timer.isArmed)
      timer.arm(after: .milliseconds(1))
      await flags[1].wait(on: loop)
      // Whatever came too often would come within this.
      try await loop.sleep(for: .milliseconds(20))
      return fired.value
    }
    #expect(fired == 2)
  }

  @Test func armingAgainReplacesTheFormerTime() throws {
    let order = try onLoop { loop in
      let notes = Notes()
      let done = Flag()
      let moved = try TimerSource(loop, accuracy: .microseconds(1)) {
        notes("moved")
        done.signal()
      }
      let fixed = try TimerSource(loop, accuracy: .microseconds(1)) { notes("fixed") }
      let silent = try TimerSource(loop, accuracy: .microseconds(1)) { notes("disarmed") }
      moved.arm(after: .milliseconds(1))
      silent.arm(after: .milliseconds(1))
      fixed.arm(after: .milliseconds(10))
      moved.arm(after: .milliseconds(20))
      silent.disarm()
      await done.wait(on: loop)
      return withExtendedLifetime((fixed, silent)) { notes.lines }
    }
    #expect(order == ["fixed", "moved"])
  }

  @Test func aTimerMayArmItselfInItsHandler() throws {
    let fired = try onLoop { loop in
      let timer = Holder<TimerSource>()
      let fired = Holder(0)
      let done = Flag()
      timer.value = try TimerSource(loop, clock: .boottime, accuracy: .microseconds(1)) {
        let count = (fired.value ?? 0) + 1
        fired.value = count
        if count < 5 { timer.value?.arm(after: .milliseconds(1)) } else { done.signal() }
      }
      timer.value?.arm(after: .zero)
      await done.wait(on: loop)
      timer.value = nil
      return fired.value
    }
    #expect(fired == 5)
  }

  /// sd-event counts relative times from the beginning of the loop's iteration.
  @Test func workBeforeArmingDoesNotMakeATimerEarly() throws {
    let waited = try onLoop { loop in
      let done = Flag()
      let timer = try TimerSource(loop, accuracy: .microseconds(1)) { done.signal() }
      try await loop.sleep(for: .milliseconds(1))
      let busyUntil = Uptime.monotonic + .milliseconds(30)
      while Uptime.monotonic < busyUntil {}
      let before = Uptime.monotonic
      timer.arm(after: .milliseconds(20))
      await done.wait(on: loop)
      return Uptime.monotonic - before
    }
    #expect(waited >= .milliseconds(20))
  }

  @Test func cancellingEndsASleepAtOnce() throws {
    let before = Uptime.monotonic
    let (wasCancelled, isSecondCancelled) = try onLoop { loop in
      let sleeping = Flag()
      let task = Task(executorPreference: loop) {
        sleeping.signal()
        do {
          try await loop.sleep(for: .seconds(3600))
          return false
        } catch { return error is CancellationError }
      }
      await sleeping.wait(on: loop)
      task.cancel()
      let late = Task(executorPreference: loop) {
        withUnsafeCurrentTask { $0?.cancel() }
        do {
          try await loop.sleep(for: .seconds(3600))
          return false
        } catch { return error is CancellationError }
      }
      return (await task.value, await late.value)
    }
    #expect(wasCancelled)
    #expect(isSecondCancelled, "cancelled before it slept")
    #expect(Uptime.monotonic - before < .seconds(3600))
  }

  @Test func cancellingFromAnotherThreadEndsASleep() throws {
    let wasCancelled = try onLoop { loop in
      let task = Task(executorPreference: loop) {
        do {
          try await loop.sleep(for: .seconds(3600))
          return false
        } catch { return error is CancellationError }
      }
      Thread { task.cancel() }.start()
      return await task.value
    }
    #expect(wasCancelled)
  }
}
