import Configuration
import EventLoop
import Foundation
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// Real programs, as `rpc.run` would name them.
@Suite struct CommandProgramTests {
  private static let pool = BlockingPool(name: "programs", threads: 4)

  private static func run(_ script: String, limit: Duration = .seconds(20)) throws -> Program.Outcome {
    let program = try Program(["/bin/sh", "-c", script], limit: limit)
    return try onCommandLoop { _ in try await program.run(on: pool) }
  }

  private static func text(_ outcome: Program.Outcome) -> String { String(decoding: outcome.output, as: UTF8.self) }

  @Test func itsOutputAndStatusComeBack() throws {
    let outcome = try Self.run("echo out; echo err >&2; exit 3")
    #expect(outcome == Program.Outcome(exit: 3, signal: nil, output: Array("out\nerr\n".utf8), isCut: false))
  }

  @Test func argumentsAreNoShell() throws {
    let program = try Program(["/bin/echo", "-n", "$HOME; `id` \"x\""], limit: .seconds(20))
    let outcome = try onCommandLoop { _ in try await program.run(on: Self.pool) }
    #expect(Self.text(outcome) == "$HOME; `id` \"x\"")
  }

  @Test func aSignalIsToldAsAShellDoes() throws {
    let outcome = try Self.run("kill -9 $$")
    #expect(outcome.exit == 137)
    #expect(outcome.signal == 9)
    #expect(RunCommand.reply(outcome).text == #"{"exit":137,"signal":9,"output":""}"#)
  }

  @Test func itFindsNothingOfOurs() throws {
    setenv("CREDENTIALS_DIRECTORY", "/run/credentials/baudgate.service", 1)
    setenv("NOTIFY_SOCKET", "/nowhere", 1)
    defer {
      unsetenv("CREDENTIALS_DIRECTORY")
      unsetenv("NOTIFY_SOCKET")
    }
    // A descriptor somebody forgot to close on exec.
    let forgotten = open("/dev/null", O_RDONLY)
    defer { close(forgotten) }
    let outcome = try Self.run(
      "exec 9>&-; env | cut -d= -f1 | sort; pwd; ls /proc/self/fd | wc -l; readlink /proc/self/fd/0")
    // `ls` has its three and the directory.
    #expect(Self.text(outcome) == "LANG\nPATH\nPWD\n/\n4\n/dev/null\n")
  }

  /// A score of ours stands for the unit's: this process may not give itself a lower one.
  @Test func theKernelDoesNotSpareIt() throws {
    func score(_ number: String) throws {
      try Data(number.utf8).write(to: URL(fileURLWithPath: "/proc/self/oom_score_adj"))
    }
    try score("7")
    defer { try? score("0") }
    let show =
      #"i=0; while read n < /proc/self/oom_score_adj; [ "$n" != 0 ] && [ $i -lt 20000 ]; do i=$((i+1)); done; echo $n"#
    let program = try Program(["/bin/sh", "-c", show], limit: .seconds(20), isSpared: true)
    #expect(Self.text(try onCommandLoop { _ in try await program.run(on: Self.pool) }) == "0\n")
    #expect(Self.text(try Self.run("cat /proc/self/oom_score_adj")) == "7\n")
  }

  @Test func noSignalIsBlockedOrIgnored() throws {
    var blocked = sigset_t()
    sigemptyset(&blocked)
    sigaddset(&blocked, SIGTERM)
    var before = sigset_t()
    pthread_sigmask(SIG_BLOCK, &blocked, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    SignalSource.ignoreBrokenPipes()
    let outcome = try Self.run("exec sed -n 's/^Sig\\(Blk\\|Ign\\):[^0-9a-f]*//p' /proc/self/status")
    let masks = Self.text(outcome).split(separator: "\n").map { UInt64($0, radix: 16) }
    // Signals 32 and 33 are glibc's own; it leaves them ignored.
    #expect(masks.map { $0.map { $0 & ~(3 << 31) } } == [0, 0])
  }

  @Test func aFloodIsReadToItsEndAndCut() throws {
    let outcome = try Self.run("head -c 10000000 /dev/zero | tr '\\0' x; exit 5")
    #expect(outcome.exit == 5)
    #expect(outcome.output == [UInt8](repeating: UInt8(ascii: "x"), count: Program.outputLimit))
    #expect(outcome.isCut)
  }

  @Test func outputThatIsNoTextStaysWithinAReply() throws {
    let outcome = Program.Outcome(
      exit: 0, signal: nil, output: [UInt8](repeating: 1, count: Program.outputLimit), isCut: false)
    let reply = RunCommand.reply(outcome)
    #expect(reply.text.utf8.count <= CommandMemory.replySizeLimit)
    #expect(reply["cut"] == .bool(true))
    let bytes = Program.Outcome(exit: 0, signal: nil, output: [0xFF, 0x41, 0xC3], isCut: false)
    #expect(RunCommand.reply(bytes).text == #"{"exit":0,"output":"�A�"}"#)
  }

  @Test func whatItLeavesBehindHoldsNothingUp() throws {
    // The grandchild keeps the pipe open.
    let outcome = try Self.run("sleep 60 & echo $!")
    let left = try #require(pid_t(Self.text(outcome).trimmingCharacters(in: .whitespacesAndNewlines)))
    defer { kill(left, SIGKILL) }
    #expect(outcome.exit == 0)
    #expect(kill(left, 0) == 0)
  }

  @Test func timeIsUpAndTheWholeGroupGoes() throws {
    let scratch = try CommandScratch()
    #expect(throws: Program.Failure.timedOut) {
      try Self.run("sleep 60 & echo $! > \(scratch.file("pid")); wait", limit: .milliseconds(300))
    }
    #expect(Self.isGone(String(decoding: try scratch.bytes("pid"), as: UTF8.self)))
  }

  @Test func oneThatIgnoresSIGTERMIsKilled() throws {
    let scratch = try CommandScratch()
    #expect(throws: Program.Failure.timedOut) {
      try Self.run(
        "trap '' TERM; echo $$ > \(scratch.file("pid")); while :; do sleep 1; done", limit: .milliseconds(300))
    }
    #expect(Self.isGone(String(decoding: try scratch.bytes("pid"), as: UTF8.self)))
  }

  /// Whether the process has ended; it may not have been reaped by whoever adopted it.
  private static func isGone(_ text: String) -> Bool {
    guard let process = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)) else { return false }
    for _ in 0..<2000 {
      guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return true }
      if status.contains(") Z ") { return true }
      usleep(5000)
    }
    return false
  }

  @Test func aCancelledCallerEndsIt() throws {
    let program = try Program(["/bin/sleep", "60"], limit: .seconds(50))
    try onCommandLoop { loop in
      let task = Task(executorPreference: loop) { try await program.run(on: Self.pool) }
      task.cancel()
      await #expect(throws: Program.Failure.cancelled) { try await task.value }
    }
  }

  @Test func whatCannotBeStartedIsToldWithItsReason() throws {
    let router = CommandRouter(Self.context(["no": ["/nowhere/program"], "dir": ["/"], "none": []]))
    let names = ["no", "dir", "none"]
    let replies = try onCommandLoop { _ in
      var replies: [String] = []
      for name in names { replies.append(await Self.reply(of: router, to: try command(1, "run", "\"\(name)\""))) }
      return replies
    }
    #expect(replies[0].contains("/nowhere/program: No such file or directory"))
    #expect(replies[1].contains("Permission denied"))
    #expect(replies.allSatisfy { $0.hasPrefix(#"{"error":{"code":"unavailable""#) })
  }

  @Test func onlyConfiguredNamesRun() throws {
    let router = CommandRouter(Self.context(["restart-modem": ["/bin/echo", "done"]]))
    try onCommandLoop { _ in
      let row = try command(1, "run", #"{"command":"restart-modem"}"#)
      #expect(await Self.reply(of: router, to: row) == #"{"exit":0,"output":"done\n"}"#)
      let bare = try command(2, "run", #""restart-modem""#)
      #expect(await Self.reply(of: router, to: bare) == #"{"exit":0,"output":"done\n"}"#)
      let near = try command(3, "run", #"{"command":"restart-moden"}"#)
      #expect(await Self.reply(of: router, to: near).contains(#"did you mean \"restart-modem\""#))
      let path = try command(4, "run", #"{"command":"/bin/echo"}"#)
      #expect(await Self.reply(of: router, to: path).contains("bad_params"))
    }
  }

  @Test func aTimeLimitIsAReply() throws {
    var context = Self.context(["slow": ["/bin/sleep", "60"]])
    context.rpc.runTimeLimit = .milliseconds(200)
    let router = CommandRouter(context)
    try onCommandLoop { _ in
      let reply = await Self.reply(of: router, to: try command(1, "run", #""slow""#))
      #expect(reply.hasPrefix(#"{"error":{"code":"timeout","message":"slow ran longer than 200ms"#))
    }
  }

  private static func context(_ programs: [String: [String]]) -> CommandContext {
    var context = commandContext()
    context.rpc.run = programs
    context.programs = pool
    return context
  }

  private static func reply(of router: CommandRouter, to command: ServerCommand) async -> String {
    do throws(CommandError) { return try await router.run(router.route(command)).text } catch { return error.json.text }
  }
}
