/// What the installer is to do, seen from what is written down and what is asked for.
///
/// A value, so that every state after every kill can be listed in a test.
enum NextStep: Sendable, Equatable {
  /// What stands in `KIND.request`.
  enum Asked: Sendable, Equatable {
    case nothing
    case unreadable(InstallRequest.Refusal)
    case request(InstallRequest)

    var id: String? {
      switch self {
      case .nothing: nil
      case .unreadable(let refusal): refusal.id
      case .request(let request): request.id
      }
    }
  }

  /// Nothing is asked for and nothing open.
  case end
  case refuse(InstallRequest.Refusal)
  case install(InstallRequest)
  /// The install command may have begun, and nobody knows how far it came.
  case recoverFromInterruption(InstallRecord)
  case awaitConfirmation(InstallRecord)
  /// The rollback command may have begun; it is not run twice.
  case reportInterruptedRollback(InstallRecord)
  /// All is over and the request is still there.
  case answerAgain(InstallRecord)

  init(_ record: InstallRecord?, _ asked: Asked) {
    switch record?.phase {
    case .installing: self = record.map { .recoverFromInterruption($0) } ?? .end
    case .installed: self = record.map { .awaitConfirmation($0) } ?? .end
    case .rollingBack: self = record.map { .reportInterruptedRollback($0) } ?? .end
    case .ended, nil:
      if let record, record.id == asked.id {
        self = .answerAgain(record)
        return
      }
      switch asked {
      case .nothing: self = .end
      case .unreadable(let refusal): self = .refuse(refusal)
      case .request(let request): self = .install(request)
      }
    }
  }
}
