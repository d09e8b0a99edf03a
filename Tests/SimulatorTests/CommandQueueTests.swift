import Testing

@testable import Simulator

/// Every sentence of contract.md section 4 about who gets a command when.
@Suite struct CommandQueueTests {
  enum Step: Sendable {
    case open(UInt64)
    case end(UInt64)
    case oneWay, twoWay, persistent
    case reply(Int64)
    /// Beyond every command's lifetime.
    case expire
    case restart
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let steps: [Step]
    /// `1<0`: poll 1 was answered with command 0.
    let handed: String

    init(_ sentence: String, _ steps: [Step], _ handed: String) {
      testDescription = sentence
      self.steps = steps
      self.handed = handed
    }
  }

  @Test(arguments: [
    Row("An open poll gets a command", [.open(1), .oneWay], "1<0"),
    Row("Every open poll gets it, each once", [.open(1), .open(2), .twoWay], "1<0 2<0"),
    Row("Numbers count up from 0", [.open(1), .oneWay, .open(2), .oneWay], "1<0 2<1"),
    Row("Without any poll so far a one-way command waits for one", [.oneWay, .open(1), .open(2)], "1<0"),
    Row("A ghost swallows a one-way command", [.open(1), .end(1), .oneWay, .open(2)], ""),
    Row("A two-way command sent to a ghost comes with the next poll", [.open(1), .end(1), .twoWay, .open(2)], "2<0"),
    Row(
      "Several ghosts swallow one command", [.open(1), .open(2), .end(1), .end(2), .oneWay, .oneWay, .open(3)], "3<1"),
    Row("A ghost does nothing while a poll is open", [.open(1), .end(1), .open(2), .oneWay, .open(3)], "2<0"),
    Row("After a delivery the ghosts are gone", [.open(1), .end(1), .open(2), .oneWay, .oneWay, .open(3)], "2<0 3<1"),
    Row("A two-way command stays until it is answered", [.open(1), .twoWay, .open(2), .open(3)], "1<0 2<0 3<0"),
    Row("Answered it is gone", [.open(1), .twoWay, .reply(0), .open(2), .twoWay], "1<0 2<1"),
    Row("Expired it is gone", [.open(1), .twoWay, .expire, .open(2), .twoWay], "1<0 2<1"),
    Row("The first pending command stands before the second", [.twoWay, .twoWay, .open(1), .open(2)], "1<0 2<0"),
    Row("The second comes once the first is answered", [.twoWay, .twoWay, .open(1), .reply(0), .open(2)], "1<0 2<1"),
    Row("The second comes once the first has expired", [.twoWay, .expire, .twoWay, .open(1)], "1<1"),
    Row("Only a one-way command is handed over once", [.oneWay, .twoWay, .open(1), .open(2), .open(3)], "1<0 2<1 3<1"),
    Row("A reply to another number answers nothing", [.twoWay, .reply(7), .open(1)], "1<0"),
    Row("A restart forgets commands and counts from 0", [.twoWay, .twoWay, .restart, .open(1), .oneWay], "1<0"),
    Row("A restart forgets ghosts", [.open(1), .end(1), .restart, .oneWay, .open(2)], "2<0"),
    Row(
      "A persistent command survives a restart, with a new number", [.oneWay, .persistent, .restart, .open(1)], "1<0"),
  ])
  func handsOver(_ row: Row) {
    var queue = CommandQueue()
    var now: UInt64 = 1
    var handed: [String] = []
    for step in row.steps {
      switch step {
      case .open(let poll): if let command = queue.open(poll, at: now) { handed.append("\(poll)<\(command.id)") }
      case .end(let poll): queue.end(poll)
      case .oneWay, .twoWay, .persistent:
        let isOneWay = if case .oneWay = step { true } else { false }
        let isPersistent = if case .persistent = step { true } else { false }
        let (command, answers) = queue.send(
          "m", params: "{}", isOneWay: isOneWay, isPersistent: isPersistent, expires: now + 10, at: now)
        handed += answers.map { "\($0)<\(command.id)" }
      case .reply(let id): queue.reply("true", to: id, at: now)
      case .expire: now += 10
      case .restart: queue.restart(at: now)
      }
    }
    #expect(handed.joined(separator: " ") == row.handed)
  }

  @Test("Every reply is kept, and only the first one of a two-way command within its lifetime is in time")
  func keepsReplies() {
    var queue = CommandQueue()
    for (isOneWay, expires) in [(false, 10), (false, 2), (true, 10)] as [(Bool, UInt64)] {
      _ = queue.send("m", params: "1", isOneWay: isOneWay, isPersistent: false, expires: expires, at: 1)
    }
    queue.reply("a", to: 0, at: 2)
    queue.reply("b", to: 0, at: 3)
    queue.reply("c", to: 1, at: 2)
    queue.reply("d", to: 2, at: 4)
    queue.reply("e", to: 9, at: 5)
    #expect(
      queue.outcome(of: 0)?.replies == [
        CommandReply(text: "a", time: 2, isInTime: true), CommandReply(text: "b", time: 3, isInTime: false),
      ])
    #expect(queue.outcome(of: 1)?.isAnsweredInTime == false)
    #expect(queue.outcome(of: 2)?.isAnsweredInTime == false)
    #expect(queue.outcome(of: 9)?.method == nil)
    #expect(queue.outcome(of: 9)?.replies.count == 1)
    #expect(queue.outcome(of: 3) == nil)
  }

  @Test("A reply that comes after a restart belongs to the number's newest command")
  func recyclesNumbers() {
    var queue = CommandQueue()
    _ = queue.send("old", params: "1", isOneWay: false, isPersistent: false, expires: 10, at: 1)
    queue.restart(at: 2)
    #expect(queue.outcome(of: 0)?.method == "old")
    _ = queue.send("new", params: "1", isOneWay: false, isPersistent: false, expires: 10, at: 3)
    queue.reply("late", to: 0, at: 4)
    #expect(queue.outcome(of: 0)?.method == "new")
    #expect(queue.outcome(of: 0)?.isAnsweredInTime == true)
    #expect(queue.history.map(\.method) == ["old", "new"])
  }
}
