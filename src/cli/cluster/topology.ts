/**
 * Who dials whom.
 *
 * Node i dials up to four earlier nodes, chosen at random. Why: every node but the first has a link to an
 * earlier one, so the graph is connected by construction whatever the seed; four links a node make about eight
 * neighbours on average, near what a node on a real network has, and leave gossip a choice for its mesh.
 */
import type { Random } from '../../core/random.ts'

/** How many earlier nodes a node dials. */
export const LINKS_MAX = 4

/** For each node, the numbers (from 0) of the earlier nodes that it dials, ascending. */
export function topology(nodes: number, random: Random): number[][] {
  return Array.from({ length: nodes }, (_, node) => {
    const earlier = Array.from({ length: node }, (_, index) => index)
    const links: number[] = []
    while (links.length < LINKS_MAX && earlier.length > 0) {
      links.push(...earlier.splice(random.below(earlier.length), 1))
    }
    return links.sort((a, b) => a - b)
  })
}

/** For each node, how many neighbours it has, dialled and dialling. */
export function degrees(links: readonly (readonly number[])[]): number[] {
  const counts = links.map(dialled => dialled.length)
  for (const dialled of links) for (const node of dialled) counts[node] = (counts[node] ?? 0) + 1
  return counts
}
