internal import YAML

extension SensorOptions {
  /// What `filters:` says of each value, and where the names of those stand.
  struct NamedFilters {
    fileprivate(set) var chains: [String: FilterChain] = [:]
    fileprivate(set) var keys: [(name: String, node: YAMLNode)] = []
  }

  /// Reads `filters: {temperature: [{median: 5}, {deadband: 0.2}]}`.
  ///
  /// - Parameter report: Filters act on values that are sent one by one.
  static func filters(_ reader: inout MappingReader, _ report: Report) -> NamedFilters {
    var result = NamedFilters()
    let path = reader.path(of: "filters")
    if report == .json, reader.has("filters") {
      reader.error(
        at: "filters",
        "\(path) needs report: telemetry: with report: json a reading is one value, and part of it cannot be left out")
    }
    for entry in reader.namedEntries("filters", atMost: FilterChain.valueLimit) where entry.value.value != .invalid {
      result.keys.append((entry.name, entry.key))
      result.chains[entry.name] = chain(entry, reader.diagnostics)
    }
    return result
  }

  static func check(_ filters: NamedFilters, among names: [String], _ reader: MappingReader) {
    for (name, node) in filters.keys where !names.contains(name) {
      reader.diagnostics.error(at: node, unknownValue(name, in: reader.path(of: "filters"), among: names))
    }
  }

  private static func chain(_ entry: NamedNode, _ diagnostics: Diagnostics) -> FilterChain? {
    guard case .sequence(let items) = entry.value.value else {
      diagnostics.error(
        at: entry.value,
        "\(entry.path) is \(entry.value.described()); expected a list of filters such as [{median: 5}, {deadband: 0.2}]"
      )
      return nil
    }
    guard items.count <= FilterChain.limit else {
      diagnostics.error(
        at: entry.value, "\(entry.path) has \(items.count) filters; at most \(FilterChain.limit) are possible")
      return nil
    }
    var filters: [any Filter] = []
    for (index, item) in items.enumerated() {
      if let filter = filter(item, path: "\(entry.path)[\(index)]", diagnostics) { filters.append(filter) }
    }
    return FilterChain(filters)
  }

  /// One item: a mapping with one key, the filter's name.
  private static func filter(_ item: YAMLNode, path: String, _ diagnostics: Diagnostics) -> (any Filter)? {
    if item.value == .invalid { return nil }
    guard case .mapping(let members) = item.value,
      var reader = MappingReader(item, path: path, diagnostics: diagnostics)
    else {
      let meant = item.text.flatMap { text in Filters.all.first { $0.name == text } } ?? Filters.all.first
      let example = meant.map { " such as \($0.example)" } ?? ""
      diagnostics.error(at: item, "\(path) is \(item.described()); expected a filter\(example)")
      return nil
    }
    let given = Filters.all.filter { reader.makeKnown($0.name) }
    guard let entry = given.first, members.count == 1 else {
      if members.isEmpty || !given.isEmpty {
        let found = given.isEmpty ? "no filter" : listed(members.map(\.name))
        diagnostics.error(
          at: item, "\(path) has \(found); each filter is an item of its own: [{median: 5}, {round: 1}]")
      }
      _ = reader.finish()
      return nil
    }
    let filter = entry.decode(&reader)
    return reader.finish() ? filter : nil
  }
}
