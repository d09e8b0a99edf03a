import Telemetry
import Testing

@testable import Hardware

/// Lines that give back what is sent, which no option says.
@Suite struct BusEchoTests {
  /// As Modbus has it: questions of tag 6 are answered by themselves, others by `Tiny.answer`.
  private struct Finder: AnswerFinder {
    let question: [UInt8]
    private(set) var awaitsEcho = false
    private(set) var hasUnexpectedEcho = false
    private var seen: [UInt8] = []

    init(_ question: [UInt8]) { self.question = question }

    mutating func expectEcho() { awaitsEcho = true }

    mutating func feed(_ bytes: [UInt8]) -> [UInt8]? {
      for byte in bytes {
        seen.append(byte)
        let isQuestion = seen == question
        if awaitsEcho {
          if isQuestion { (awaitsEcho, seen) = (false, []) }
        } else if isQuestion, question[1] == 6 {
          return question
        } else if isQuestion {
          hasUnexpectedEcho = true
        } else if Array(seen.suffix(4)) == Tiny.answer(Int(question[0]), question[1]) {
          return question
        }
      }
      return nil
    }

    var complaint: String? { nil }
  }

  private func question(_ unit: UInt8, _ tag: UInt8) -> BusRequest {
    BusRequest([unit, tag], unit: Int(unit), finder: Finder([unit, tag]))
  }

  @Test func aLineThatWasHeardToEchoIsNotTakenForADeadUnitsAnswer() {
    var lab = BusLab()
    // Unit 9 is dead.
    lab.units = { question in
      [(.ms(0), question)]
        + (question[0] == 9
          ? [] : [(.ms(20), question[1] == 6 ? question : Tiny.answer(Int(question[0]), question[1]))])
    }
    let read = lab.submit(question(5, 1))
    lab.pass(.seconds(1))
    #expect(lab.outcome(read) == .success([5, 1]))
    #expect(lab.notices == [.hearsItself])
    let (write, lost) = (lab.submit(question(5, 6)), lab.submit(question(9, 6)))
    lab.pass(.seconds(2))
    #expect(lab.outcome(write) == .success([5, 6]))
    #expect(lab.outcome(lost)?.failure?.code == .timedOut)

    // Another adapter: the first attempt finds out.
    lab.units = { question in [(.ms(20), Tiny.answer(Int(question[0]), question[1]))] }
    let (after, later) = (lab.submit(question(5, 2)), lab.submit(question(5, 3)))
    lab.pass(.seconds(2))
    #expect(lab.outcome(after) == .success([5, 2]) && lab.outcome(later) == .success([5, 3]))
    #expect(lab.status(5)?.retries == 1)
    #expect(lab.notices.filter { $0 == .hearsItself }.count == 1)
  }
}

extension Result {
  fileprivate var failure: Failure? { if case .failure(let failure) = self { failure } else { nil } }
}
