/// The queries that ask for attributes: `?clientKeys=a,b&sharedKeys=c`.
///
/// Many names take several, as servers bound a request's first line. A name with a comma cannot be asked for, since the
/// server splits at every comma whatever its spelling, and is left out.
///
/// Source: contract.md §3.
enum AttributeQuery {
  /// Bytes of names in one query; Tomcat takes 8 KiB of headers, and proxies as much.
  static let longest = 4000

  /// - Returns: `[""]`, which asks for everything, where both are `nil`; nothing where no name can be asked for.
  static func make(client: [String]?, shared: [String]?, longest: Int = longest) -> [String] {
    if client == nil && shared == nil { return [""] }
    var queries: [[(parameter: String, names: [String])]] = []
    var length = longest
    for (parameter, names) in [("clientKeys", client ?? []), ("sharedKeys", shared ?? [])] {
      for name in names where !name.isEmpty && !name.contains(",") {
        let encoded = percentEncoded(name)
        length += encoded.utf8.count + 1
        if length > longest {
          queries.append([])
          length = encoded.utf8.count + 1
        }
        let last = queries.count - 1
        if queries[last].last?.parameter == parameter {
          queries[last][queries[last].count - 1].names.append(encoded)
        } else {
          queries[last].append((parameter, [encoded]))
        }
      }
    }
    return queries.map { query in
      "?" + query.map { "\($0.parameter)=\($0.names.joined(separator: ","))" }.joined(separator: "&")
    }
  }
}
