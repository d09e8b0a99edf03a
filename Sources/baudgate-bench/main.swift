internal import Glibc

// What decoding alone costs, for `make bench`: `baudgate-bench FORMAT SECONDS`. Prints how many lines or answers there were,
// their bytes, and the seconds of CPU they took. Not installed; Benchmarks/c-gateway/decode.c does the same work in C.

/// Rounds between two looks at the clock.
let rounds = 64

func cpuSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func fail(_ message: String) -> Never {
  let line = Array("baudgate-bench: \(message)\n".utf8)
  write(STDERR_FILENO, line, line.count)
  exit(1)
}

let arguments = CommandLine.arguments
guard arguments.count == 3, let format = Format(rawValue: arguments[1]), let limit = Double(arguments[2]), limit > 0
else { fail("usage: baudgate-bench \(Format.allCases.map(\.rawValue).joined(separator: "|")) SECONDS") }

do throws(RoundError) {
  var round = try format.makeRound()
  // Tables and memory that are made once.
  _ = try round.run()
  var tally = Tally()
  let start = cpuSeconds()
  repeat {
    for _ in 0..<rounds { tally += try round.run() }
  } while cpuSeconds() - start < limit
  print(tally.items, tally.bytes, cpuSeconds() - start)
} catch {
  fail(error.description)
}
