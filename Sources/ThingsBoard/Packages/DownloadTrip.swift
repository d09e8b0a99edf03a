/// A download on its way: where it asks, for what, and what the answers mean to it.
struct DownloadTrip {
  var address: PackageAddress
  var offset: Int64
  /// `nil` asks for the whole file.
  var validator: String?
  var limit: Int64
  var mask: Mask
  private var redirects = 0

  init(address: PackageAddress, offset: Int64, validator: String?, limit: Int64, mask: Mask) {
    self.address = address
    self.offset = offset
    self.validator = validator
    self.limit = limit
    self.mask = mask
  }

  private var resumes: Bool { offset > 0 && validator != nil }

  /// Lines of the request's head.
  var headers: [String] {
    guard resumes, let validator, FileHeaders.canBeSent(validator) else { return [] }
    return ["Range: bytes=\(offset)-", "If-Range: \(validator)"]
  }

  /// Goes where a redirect points.
  mutating func follow(_ location: String?) throws(DeviceAPIError) {
    guard let location, let next = PackageAddress(location, relativeTo: address) else {
      throw DeviceAPIError(.redirected, "redirects the download to no http or https URL: correct the package's URL")
    }
    guard next.isSecure || !address.isSecure else {
      throw DeviceAPIError(
        .redirected,
        "redirects the download from https to http, where anybody could change it: correct the package's URL"
      )
    }
    guard redirects < PackageDownload.mostRedirects else { throw .tooManyRedirects }
    redirects += 1
    address = next
    mask = mask + next.secrets
  }

  enum Meaning: Equatable {
    case begin(PackageStart)
    /// Nothing is missing.
    case complete(PackageStart)
    case anew
    case elsewhere
    case refused(DeviceAPIError)
  }

  /// What an answer's status and headers mean.
  func meaning(of head: HTTPResponse) -> Meaning {
    switch head.status {
    case 200:
      if let type = head.contentType, type.hasPrefix("text/html"), !head.file.isNamed {
        return refuse(
          head, .notThingsBoard, "answered with a page instead of a file: a login or a captive portal? Open the URL")
      }
      return begin(PackageStart(offset: 0, total: head.file.length, validator: head.file.validator))
    case 206: return partial(head)
    case 416 where resumes:
      let total = head.file.range.flatMap { ContentRange($0) }?.total
      guard total == offset, let validator, head.file.agrees(with: validator) else { return .anew }
      return .complete(PackageStart(offset: offset, total: total, validator: validator))
    case 301, 302, 303, 307, 308: return .elsewhere
    default: return refusal(head)
    }
  }

  private func partial(_ head: HTTPResponse) -> Meaning {
    guard resumes, let validator else {
      return refuse(head, .serverError, "answered with a part of the file nobody asked for (206)")
    }
    // Another start, another version, several ranges: nothing that could be put behind what is there.
    guard let range = head.file.range.flatMap({ ContentRange($0) }), range.first == offset,
      head.file.agrees(with: validator)
    else { return .anew }
    // A range that ends before the file does is continued by the next download.
    return begin(PackageStart(offset: offset, total: range.total, validator: validator))
  }

  private func begin(_ start: PackageStart) -> Meaning {
    if let total = start.total, total > limit { return .refused(.tooLarge(total, limit: limit)) }
    return .begin(start)
  }

  private func refusal(_ head: HTTPResponse) -> Meaning {
    switch head.status {
    case 401, 403:
      refuse(head, .unauthorized, "refuses the download (\(head.status)): is the package's URL still valid?")
    case 404, 410: refuse(head, .notFound, "does not have the file (\(head.status)): correct the package's URL")
    case 407:
      refuse(
        head, .notThingsBoard, "cannot be reached: the proxy wants a user name and password (407): check server.proxy")
    case 408, 425, 429: refuse(head, .unavailable, "is not available (\(head.status))")
    case 400..<500: refuse(head, .poison, "refuses the download (\(head.status)): correct the package's URL")
    case 500: refuse(head, .serverError, "failed (500)")
    case 501...: refuse(head, .unavailable, "is not available (\(head.status))")
    default: refuse(head, .serverError, "answered \(head.status), which is no file")
    }
  }

  private func refuse(_ head: HTTPResponse, _ code: DeviceAPIError.Code, _ message: String) -> Meaning {
    .refused(DeviceAPIError(code, message, status: head.status, retryAfter: head.retryAfter))
  }

  /// A download without an answer, or with the half of one.
  func error(_ failure: HTTPFailure) -> DeviceAPIError {
    let words = mask(failure.message)
    switch failure.code {
    // What is usually said of them names options that hold for ThingsBoard alone.
    case .certificate(.issuer):
      return DeviceAPIError(
        .certificate, "has a certificate nobody trusted here has signed: add its authority to the system's (\(words))")
    case .certificate(.other):
      return DeviceAPIError(
        .certificate, "has a certificate that is not accepted: check the host in the package's URL (\(words))")
    case .timeout: return DeviceAPIError(.unreachable, "sends too slowly or nothing at all: \(words)")
    default: return DeviceAPIError(failure, mask: mask)
    }
  }
}

/// How far one answer has got.
struct DownloadProgress {
  /// The next byte's place in the file.
  private(set) var offset: Int64
  private let total: Int64?
  private let limit: Int64

  init(_ start: PackageStart, limit: Int64) {
    offset = start.offset
    total = start.total
    self.limit = limit
  }

  /// Counts bytes that have come.
  ///
  /// - Returns: Why they must not be kept.
  mutating func take(_ count: Int) -> DeviceAPIError? {
    let (next, overflow) = offset.addingReportingOverflow(Int64(count))
    guard !overflow, next <= limit else { return .tooLarge(nil, limit: limit) }
    if let total, next > total {
      return DeviceAPIError(.serverError, "sends more of the file than the \(total) bytes it has announced")
    }
    offset = next
    return nil
  }

  /// - Returns: Why this end is none.
  func end() -> DeviceAPIError? {
    guard let total, offset < total else { return nil }
    return DeviceAPIError(.unreachable, "ended the download early, at \(offset) of \(total) bytes")
  }
}

extension DeviceAPIError {
  static let notAnAddress = DeviceAPIError(
    .poison, "cannot be asked: the package's URL is no http or https URL; correct it on the server")
  static let tooManyRedirects = DeviceAPIError(
    .redirected, "redirects more than \(PackageDownload.mostRedirects) times: correct the package's URL")
  static let cutOff = DeviceAPIError(.unreachable, "ended without an answer")

  static func tooLarge(_ total: Int64?, limit: Int64) -> DeviceAPIError {
    DeviceAPIError(
      .tooLarge,
      "has a file of \(total.map { "\($0)" } ?? "more than \(limit)") bytes, and a package may have \(limit) here")
  }
}
