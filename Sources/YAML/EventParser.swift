internal import CYAML

/// libyaml's parser over bytes that stay where they are; the only place that holds its pointers.
struct EventParser: ~Copyable {
  enum Event {
    case streamStart, streamEnd, documentStart, documentEnd, sequenceEnd, mappingEnd
    case sequenceStart(Properties)
    case mappingStart(Properties)
    case scalar(String, isPlain: Bool, Properties)
    case alias
  }

  /// What stands before a node: `&anchor`, `!tag`.
  struct Properties {
    var anchor: Bool
    var tag: Bool
  }

  /// Where an event begins; lines and columns from 1.
  struct Place {
    var line: Int
    var column: Int
  }

  /// What libyaml did not understand.
  struct Failure {
    var problem: String
    var context: String?
    /// `nil` when libyaml knows only a byte's offset.
    var place: Place?
    var offset: Int
    /// Where what `context` speaks of began.
    var contextPlace: Place?
  }

  private let parser: UnsafeMutablePointer<yaml_parser_t>

  /// - Parameter input: Must outlive the parser.
  init?(_ input: UnsafeBufferPointer<UInt8>) {
    parser = .allocate(capacity: 1)
    guard yaml_parser_initialize(parser) == 1 else {
      parser.deallocate()
      return nil
    }
    // Said, not guessed: a file in UTF-16 is refused like any other noise.
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, input.baseAddress, input.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
  }

  /// - Returns: The next event and its place; `nil` after a syntax error, which `failure` then describes.
  mutating func next() -> (event: Event, place: Place)? {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { return nil }
    defer { yaml_event_delete(&event) }
    let place = Place(line: Int(event.start_mark.line) + 1, column: Int(event.start_mark.column) + 1)
    let data = event.data
    switch event.type {
    case YAML_STREAM_START_EVENT: return (.streamStart, place)
    case YAML_DOCUMENT_START_EVENT: return (.documentStart, place)
    case YAML_DOCUMENT_END_EVENT: return (.documentEnd, place)
    case YAML_ALIAS_EVENT: return (.alias, place)
    case YAML_SCALAR_EVENT:
      let scalar = data.scalar
      let text = String(
        decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.value == nil ? 0 : Int(scalar.length)),
        as: UTF8.self)
      let properties = Properties(anchor: scalar.anchor != nil, tag: scalar.tag != nil)
      return (.scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE, properties), place)
    case YAML_SEQUENCE_START_EVENT:
      let start = data.sequence_start
      return (.sequenceStart(Properties(anchor: start.anchor != nil, tag: start.tag != nil)), place)
    case YAML_MAPPING_START_EVENT:
      let start = data.mapping_start
      return (.mappingStart(Properties(anchor: start.anchor != nil, tag: start.tag != nil)), place)
    case YAML_SEQUENCE_END_EVENT: return (.sequenceEnd, place)
    case YAML_MAPPING_END_EVENT: return (.mappingEnd, place)
    default: return (.streamEnd, place)
    }
  }

  /// Why `next` returned `nil`.
  var failure: Failure {
    let state = parser.pointee
    let problem = state.problem.map { String(cString: $0) } ?? "out of memory"
    if state.error == YAML_READER_ERROR {
      return Failure(problem: problem, context: nil, place: nil, offset: Int(state.problem_offset))
    }
    return Failure(
      problem: problem, context: state.context.map { String(cString: $0) },
      place: Place(line: Int(state.problem_mark.line) + 1, column: Int(state.problem_mark.column) + 1), offset: 0,
      contextPlace: Place(line: Int(state.context_mark.line) + 1, column: Int(state.context_mark.column) + 1))
  }
}
