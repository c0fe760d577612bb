/**
 * The metrics of what travels beside gossip: announcements, asks, swarms.
 *
 * All are plain numbers of their owners, read when the metrics are (`metrics.ts` says why). What swarms count is of all
 * topics together, since windows and neighbours are.
 */
import type { Metrics } from '../core/ports.ts'
import type { Topic } from '../core/types.ts'
import type { AskCounts } from './ask-fetches.ts'
import type { SwarmCounts } from './swarms.ts'

/** What a topic's asks came to since it was joined, and what is kept for those who ask. */
export interface AskingCounts extends AskCounts {
  waiting: number
  kept: number
  keptBytes: number
  /** Payloads that went before their time. */
  broken: number
}

/** Everything at the moment of a reading. Counts of a topic begin at 0 with each subscription. */
export interface SpreadReading {
  readonly announced: Readonly<Record<'items' | 'swarm' | 'offers' | 'malformed', number>>
  readonly topics: readonly { readonly topic: Topic; readonly counts: AskingCounts | undefined }[]
  readonly given: { readonly given: number; readonly givenBytes: number; readonly lacking: number }
  /** @property windows of all neighbours, in bytes */
  readonly swarms: SwarmCounts & { readonly running: number; readonly windows: readonly number[] }
}

type AskFigure = keyof AskingCounts
type SwarmFigure = keyof SwarmCounts

const ASK_RESULTS: Record<string, AskFigure> = {
  sent: 'asked',
  answered: 'answered',
  late: 'late',
  lacked: 'lacked',
  'timed-out': 'timedOut',
  unwanted: 'unwanted',
  'given-up': 'givenUp',
  overflow: 'overflow',
}

const CHUNK_RESULTS: Record<string, SwarmFigure> = {
  received: 'chunksReceived',
  unwanted: 'chunksUnwanted',
  wrong: 'chunksWrong',
  pushed: 'chunksPushed',
  answered: 'chunksAnswered',
}

const CHUNK_ASK_RESULTS: Record<string, SwarmFigure> = {
  sent: 'asksSent',
  'timed-out': 'asksTimedOut',
  hedged: 'asksHedged',
}

/** Registers all of them. `read` is called at each reading, once for each metric. */
export function spreadMetrics(metrics: Metrics, read: () => SpreadReading): void {
  const total = metrics.counterFrom.bind(metrics)
  const now = metrics.gaugeFrom.bind(metrics)
  /** One figure of each topic. */
  const ofTopics = (figure: AskFigure) => () =>
    read().topics.map(({ topic, counts }) => [{ topic }, counts?.[figure] ?? 0] as const)
  const ofSwarms = (names: Record<string, SwarmFigure>) => () => {
    const { swarms } = read()
    return Object.entries(names).map(([result, figure]) => [{ result }, swarms[figure]] as const)
  }
  total('floodgate_announcements_total', 'Announcements that came, by what is in them', ['kind'], () =>
    Object.entries(read().announced).map(([kind, count]) => [{ kind }, count] as const),
  )
  total('floodgate_asks_total', 'Messages asked for, by what became of it', ['topic', 'result'], () =>
    read().topics.flatMap(({ topic, counts }) =>
      Object.entries(ASK_RESULTS).map(
        ([result, figure]) => [{ topic, result }, counts?.[figure] ?? 0] as const,
      ),
    ),
  )
  now('floodgate_asks_waiting', 'Announced messages that are waited for', ['topic'], ofTopics('waiting'))
  total('floodgate_payloads_given_total', 'Asks of others, by whether we had it', ['result'], () => {
    const { given, lacking } = read().given
    return [[{ result: 'given' }, given] as const, [{ result: 'lacking' }, lacking] as const]
  })
  total('floodgate_payloads_given_bytes_total', 'Payload bytes given to those who asked', [], () => [
    [{}, read().given.givenBytes],
  ])
  now('floodgate_payloads_kept', 'Payloads kept for those who ask', ['topic'], ofTopics('kept'))
  now('floodgate_payloads_kept_bytes', 'Their bytes', ['topic'], ofTopics('keptBytes'))
  total(
    'floodgate_promises_broken_total',
    'Payloads that went before their time',
    ['topic'],
    ofTopics('broken'),
  )
  total('floodgate_chunks_total', 'Chunks of swarms', ['result'], ofSwarms(CHUNK_RESULTS))
  total('floodgate_chunk_asks_total', 'Chunks asked for', ['result'], ofSwarms(CHUNK_ASK_RESULTS))
  total('floodgate_early_frames_dropped_total', 'Frames of swarms that had not begun', [], () => [
    [{}, read().swarms.earlyDropped],
  ])
  now('floodgate_swarms', 'Swarms that have begun and not ended', [], () => [[{}, read().swarms.running]])
  now('floodgate_swarm_window_bytes', 'What may be under way to neighbours', ['figure'], () =>
    windowFigures(read().swarms.windows),
  )
}

/** All windows together, the smallest and the one in the middle; nothing without neighbours. */
function windowFigures(windows: readonly number[]) {
  const sorted = windows.toSorted((one, other) => one - other)
  const [min] = sorted
  const median = sorted[sorted.length >> 1]
  if (min === undefined || median === undefined) return []
  const sum = sorted.reduce((one, other) => one + other, 0)
  return Object.entries({ sum, min, median }).map(([figure, bytes]) => [{ figure }, bytes] as const)
}
