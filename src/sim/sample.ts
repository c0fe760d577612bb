/**
 * Drawing without putting back.
 */
import type { Random } from '../core/random.ts'

/** `count` of them, each at most once. */
export function sample<T>(from: readonly T[], count: number, random: Random): T[] {
  const left = [...from]
  const drawn: T[] = []
  while (drawn.length < count && left.length > 0) drawn.push(...left.splice(random.below(left.length), 1))
  return drawn
}
