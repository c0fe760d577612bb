/**
 * "Did you mean …": the nearest of some names, by edit distance.
 */

/**
 * The candidate nearest to `name`, without regard to case; undefined when none is near. Near is at most a
 * third of the letters, and at most 3 edits: an insertion, a deletion, a change, or a swap of two neighbours.
 * A candidate that only adds a unit (`heartbeat`, `heartbeatMs`) is near as well.
 */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const wanted = name.toLowerCase()
  const most = Math.min(3, Math.ceil(wanted.length / 3))
  let best: string | undefined
  let bestDistance = most + 1
  for (const candidate of candidates) {
    const other = candidate.toLowerCase()
    // The difference in length is a lower bound, and keeps the table small for absurdly long names.
    if (Math.abs(other.length - wanted.length) >= bestDistance) continue
    const distance = editDistance(wanted, other)
    if (distance >= bestDistance) continue
    best = candidate
    bestDistance = distance
  }
  return (
    best ?? candidates.find(candidate => wanted.length >= 4 && candidate.toLowerCase().startsWith(wanted))
  )
}

/** Optimal string alignment distance, row by row. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + change,
      )
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1)
      current.push(cost)
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
}
