/**
 * What both lines do, the real one and the simulated one: the same sends at the same times.
 *
 * A beat is 0.6 s: longer than a warm line needs for a hop, with a pause that is shorter than TCP's timeout. A round
 * is a series of messages, one a beat, then 8 s of silence. The first message of a series finds connections that were
 * idle (cold), the last finds windows that those before it have opened (warm).
 *
 * One message goes before all rounds and is not looked at: on new connections Yamux's window for a stream has 512 or
 * 1,024 kB, whichever the first few small frames made of it, and with the smaller one 1 MB needs a round trip more.
 */

export const LINE = { nodes: 5, upMbit: 20, latencyMs: 50, sizeBytes: 1_000_000 } as const

export const BEAT_MS = 600
export const SERIES_BEATS = 10

/** The places in a series that are judged. */
export const COLD = 0
export const WARM = SERIES_BEATS - 1

const ROUNDS = 5
const SILENT_BEATS = 14

/** A place in a series, the message before all of them, or silence. */
type Beat = number | 'opening' | 'silence'

const SILENCE: readonly Beat[] = Array.from({ length: SILENT_BEATS }, () => 'silence' as const)
const SERIES: readonly Beat[] = Array.from({ length: SERIES_BEATS }, (_, place) => place)
const BEATS: readonly Beat[] = [
  'opening',
  ...SILENCE,
  ...Array.from({ length: ROUNDS }, () => [...SERIES, ...SILENCE]).flat(),
]

/** For each beat, whether a message is sent. */
export const SENDS: readonly boolean[] = BEATS.map(beat => beat !== 'silence')

/** Of one message: when each node but the first had it, in milliseconds since it was sent, in the line's order. */
export type Journey = readonly number[]

/** What became of the messages at one place of the series, one a round. @param all in the order of the sends */
export function journeysAt(all: readonly Journey[], place: number): Journey[] {
  const sent = BEATS.filter(beat => beat !== 'silence')
  return all.filter((_, index) => sent[index] === place)
}
