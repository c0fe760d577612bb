/**
 * Phases: the parts of a run that are measured apart. One begins at the end of the warm-up, and one wherever an event
 * begins or ends.
 *
 * A message belongs to the phase in which it was sent, a byte to the phase in which it left. The last phase goes on
 * through the drain.
 */
import type { EventValues } from './schema.ts'

export interface Phase {
  readonly name: string
  /** From the end of the warm-up. */
  readonly fromMs: number
}

/** What the first phase is called, when no event begins with it. */
const FIRST = 'start'

/** In the order of time; at most one begins at any time. */
export function phasesOf(events: readonly EventValues[], durationMs: number): Phase[] {
  const found = new Map<number, string>([[0, FIRST]])
  const add = (atMs: number, name: string): void => {
    if (atMs < durationMs) found.set(atMs, name)
  }
  const inOrder = [...events].sort((a, b) => a.at - b.at)
  for (const event of inOrder) {
    if ('for' in event && event.for !== undefined && event.kind !== 'restart') {
      add(event.at + event.for, endName(event))
    }
  }
  // What begins is a better name than what ends at the same time.
  for (const event of inOrder) add(event.at, event.name ?? event.kind)
  return unique([...found].sort(([a], [b]) => a - b).map(([fromMs, name]) => ({ name, fromMs })))
}

function endName({ kind, name }: EventValues): string {
  return kind === 'partition' && name === undefined ? 'healed' : `after-${name ?? kind}`
}

/** The second `churn` is `churn-2`. */
function unique(phases: readonly Phase[]): Phase[] {
  const seen = new Map<string, number>()
  return phases.map(phase => {
    const count = (seen.get(phase.name) ?? 0) + 1
    seen.set(phase.name, count)
    return count === 1 ? phase : { ...phase, name: `${phase.name}-${count}` }
  })
}
