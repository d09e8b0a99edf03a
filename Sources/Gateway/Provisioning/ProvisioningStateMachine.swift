internal import EventLoop
internal import ThingsBoard

/// Decides the steps from no credential to a token the server knows, without a file, a socket or a clock.
///
/// A server provisions a device once. So a token of our own is on the disk before the server hears of it, and after
/// any doubt (a time-out, a reset, a crash, a refusal) it is proved before anything is asked again: wherever power is
/// cut, the next start finds out whose turn it is.
///
/// Source: contract.md §7.
struct ProvisioningStateMachine {
  enum Mode: Sendable, Equatable {
    /// Until there is a token: at a first start.
    case forever
    /// Until a definite answer, beside the current credential: `baudgate provision --force`.
    case once
  }

  /// What the owner does next, and answers with an event.
  enum Action: Sendable, Equatable {
    case load
    /// Expand the device's name and draw a token.
    case prepare
    /// Make this last.
    case save(StoredCredentials)
    /// Ask whether the server knows this token.
    case prove(StoredToken)
    /// Ask for a device with this name and token.
    case ask(StoredToken)
    case wait(Duration, ProvisioningTrouble)
    /// The token is good. `unwritten` says why it is not in the file as the current one yet.
    case done(StoredToken, unwritten: CredentialFileError?)
    case fail(ProvisioningTrouble)
  }

  enum Event: Sendable {
    case loaded(StoredCredentials)
    case prepared(device: String?, token: Secret)
    case saved
    case proved(isKnown: Bool)
    case answered(ProvisionAnswer)
    case rested
    /// What was to be done could not be done.
    case failed(ProvisioningTrouble)
  }

  private indirect enum State {
    case loading
    /// `refusal` is what the server said to a request with this token.
    case proving(StoredToken, refusal: ProvisioningTrouble?)
    /// With the pending token there is already, if any.
    case preparing(StoredToken?)
    case persisting(StoredToken)
    case asking(StoredToken)
    case recording(StoredToken)
    /// Takes the pending token out of the file before the failure is told.
    case dropping(ProvisioningTrouble)
    case resting(Duration, ProvisioningTrouble, before: State)
    case provisioned(StoredToken, unwritten: CredentialFileError?)
    case failed(ProvisioningTrouble)
  }

  private let mode: Mode
  private let server: String
  private var pace: RetryPace
  private var state = State.loading
  private var current: StoredToken?
  /// The pending token that this life has written and synced. One that was only found in the file may be there in
  /// memory alone: its writer can have been killed between rename and fsync.
  private var durable: StoredToken?

  /// - Parameters:
  ///   - server: Its URL, kept with the token.
  ///   - current: The credential in use, where it is known apart from the file.
  init(mode: Mode, server: String, current: StoredToken? = nil, pace: RetryPace = RetryPace()) {
    self.mode = mode
    self.server = server
    self.current = current
    self.pace = pace
  }

  /// What the state waits for.
  var action: Action {
    switch state {
    case .loading: .load
    case .proving(let pending, _): .prove(pending)
    case .preparing: .prepare
    case .persisting(let pending): .save(StoredCredentials(current: current, pending: pending))
    case .asking(let pending): .ask(pending)
    case .recording(let granted): .save(StoredCredentials(current: granted))
    case .dropping: .save(StoredCredentials(current: current))
    case .resting(let delay, let trouble, _): .wait(delay, trouble)
    case .provisioned(let granted, let unwritten): .done(granted, unwritten: unwritten)
    case .failed(let trouble): .fail(trouble)
    }
  }

  mutating func handle(_ event: Event, using generator: inout some RandomNumberGenerator) -> Action {
    switch (state, event) {
    case (.loading, .loaded(let found)): return loaded(found)
    case (.loading, .failed(let trouble)): return rest(trouble, before: .loading, using: &generator)

    case (.proving(let pending, let refusal), .proved(let isKnown)):
      pace.wasAnswered()
      if isKnown { return enter(.recording(pending)) }
      if let refusal { return refused(refusal, pending, using: &generator) }
      return enter(durable == pending ? .asking(pending) : .preparing(pending))
    case (.proving, .failed(let trouble)): return rest(trouble, before: state, using: &generator)

    case (.preparing(let known), .prepared(let device, let token)):
      return enter(.persisting(StoredToken(token: known?.token ?? token, device: device, server: server)))
    case (.preparing, .failed(let trouble)): return rest(trouble, before: state, using: &generator)

    case (.persisting(let pending), .saved):
      durable = pending
      return enter(.asking(pending))
    case (.persisting, .failed(let trouble)):
      return mode == .once ? enter(.failed(trouble)) : rest(trouble, before: state, using: &generator)

    case (.asking(let pending), .answered(let answer)): return answered(answer, pending, using: &generator)
    // The device may exist all the same.
    case (.asking(let pending), .failed(let trouble)):
      return rest(trouble, before: .proving(pending, refusal: nil), using: &generator)

    case (.recording(let granted), .saved): return enter(.provisioned(granted, unwritten: nil))
    case (.recording(let granted), .failed(let trouble)):
      // The token works; the file is the owner's worry from here.
      guard case .file(let error) = trouble else { return action }
      return enter(.provisioned(granted, unwritten: error))

    // Left in the file it does no harm: it is proved at the next attempt.
    case (.dropping(let trouble), .saved), (.dropping(let trouble), .failed(_)): return enter(.failed(trouble))

    case (.resting(_, _, let next), .rested): return enter(next)

    // An answer to nothing that was asked.
    case (.loading, _), (.proving, _), (.preparing, _), (.persisting, _), (.asking, _), (.recording, _),
      (.dropping, _), (.resting, _), (.provisioned, _), (.failed, _):
      return action
    }
  }

  private mutating func loaded(_ found: StoredCredentials) -> Action {
    current = current ?? found.current
    if mode == .forever, let current { return enter(.provisioned(current, unwritten: nil)) }
    return enter(found.pending.map { .proving($0, refusal: nil) } ?? .preparing(nil))
  }

  private mutating func answered(
    _ answer: ProvisionAnswer, _ pending: StoredToken, using generator: inout some RandomNumberGenerator
  ) -> Action {
    pace.wasAnswered()
    switch answer {
    case .success(let token):
      do throws(TokenError) {
        let usable = try DeviceCredential(token: token.reveal(), source: .file(CredentialFile.name)).token
        return enter(.recording(StoredToken(token: usable, device: pending.device, server: server)))
      } catch {
        let answer = DeviceAPIError(.notThingsBoard, "answered with an access token that \(error)")
        return rest(.request(answer), before: .proving(pending, refusal: nil), using: &generator)
      }
    case .failure(let words): return enter(.proving(pending, refusal: .refused(words)))
    case .notFound(let words): return refused(.notFound(words), pending, using: &generator)
    case .unusable(let type): return refused(.unusable(credentialsType: type), pending, using: &generator)
    }
  }

  /// The server has no device of ours, and says so.
  private mutating func refused(
    _ trouble: ProvisioningTrouble, _ pending: StoredToken, using generator: inout some RandomNumberGenerator
  ) -> Action {
    mode == .once ? enter(.dropping(trouble)) : rest(trouble, before: .asking(pending), using: &generator)
  }

  private mutating func rest(
    _ trouble: ProvisioningTrouble, before next: State, using generator: inout some RandomNumberGenerator
  ) -> Action {
    if mode == .once && trouble.needsPerson { return enter(.failed(trouble)) }
    let delay: Duration
    if case .request(let error) = trouble {
      delay = pace.next(after: error, using: &generator)
    } else {
      delay = pace.next(needsPerson: trouble.needsPerson, using: &generator)
    }
    return enter(.resting(delay, trouble, before: next))
  }

  private mutating func enter(_ next: State) -> Action {
    state = next
    return action
  }
}
