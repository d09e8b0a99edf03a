/// The known word that `word` was most likely meant to be; `nil` when none is near.
///
/// Near means a third of its characters changed, dropped, added or swapped with their neighbour, at least one.
public func nearestWord(to word: String, among words: some Sequence<String>) -> String? {
  let longest = 64
  let wanted = Array(word.lowercased().unicodeScalars)
  guard !wanted.isEmpty, wanted.count <= longest else { return nil }
  var best: (word: String, distance: Int)?
  for candidate in words {
    let letters = Array(candidate.lowercased().unicodeScalars)
    guard letters.count <= longest else { continue }
    let distance = editDistance(wanted, letters)
    let allowed = max(1, max(wanted.count, letters.count) / 3)
    // A word of which nothing is left is no near word: `a` is not nearly `b`.
    guard distance <= allowed, distance < max(wanted.count, letters.count) else { continue }
    if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
  }
  return best?.word
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
  var beforeLast = [Int](repeating: 0, count: b.count + 1)
  var last = Array(0...b.count)
  for i in 0..<a.count {
    var row = [i + 1]
    for j in 0..<b.count {
      var cost = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
      row.append(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.count]
}
