/**
 * The metrics of the gate. What travels beside gossip has its own in `spread-metrics.ts`.
 *
 * What is counted for every message is a plain number of its owner, read when the metrics are: a labelled counter
 * costs as much as a hash of the message. Only calls of the upper layer are observed one by one.
 */
import type { Histogram, Metrics } from '../core/ports.ts'
import type { Topic } from '../core/types.ts'

/** A topic at the moment of a reading. Counts begin at 0 with each subscription. */
export interface TopicReading {
  readonly topic: Topic
  readonly received: number
  readonly propagated: number
  readonly copies: number
  readonly late: number
  readonly overdue: number
  readonly acceptedBytes: number
  readonly queued: number
  readonly held: number
  /** Messages by how they ended: `verdict reason` to a number. */
  readonly outcomes: ReadonlyMap<string, number>
}

/** Seconds, from a table look-up to the longest verdict timeout. */
const HANDLER_BUCKETS = [0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1, 2, 5]

type Figure = Exclude<keyof TopicReading, 'topic' | 'outcomes'>

const COUNTERS: readonly [name: string, figure: Figure, help: string][] = [
  ['floodgate_messages_received_total', 'received', 'Distinct messages that reached the gate'],
  ['floodgate_messages_propagated_total', 'propagated', 'Messages of our own given to the mesh'],
  ['floodgate_message_copies_total', 'copies', 'Payloads received, duplicates included'],
  ['floodgate_verdicts_late_total', 'late', 'Verdicts that came after their time'],
  ['floodgate_verdicts_overdue_total', 'overdue', 'Verdicts that were not there in time'],
  ['floodgate_accepted_bytes_total', 'acceptedBytes', 'Payload bytes of accepted messages'],
]

/**
 * Registers all of them. `read` is called at each reading.
 * @returns where the time to each answer of the upper layer is observed, in seconds
 */
export function gossipMetrics(metrics: Metrics, read: () => TopicReading[]): Histogram<'topic' | 'phase'> {
  const figures = (figure: Figure) => () =>
    read().map(({ topic, [figure]: value }) => [{ topic }, value] as const)
  for (const [name, figure, help] of COUNTERS) metrics.counterFrom(name, help, ['topic'], figures(figure))
  metrics.gaugeFrom(
    'floodgate_queue_messages',
    'Messages that wait for the handler',
    ['topic'],
    figures('queued'),
  )
  metrics.gaugeFrom('floodgate_messages_held', 'Messages that wait for others', ['topic'], figures('held'))
  metrics.counterFrom(
    'floodgate_verdicts_total',
    'Messages by verdict and what decided it',
    ['topic', 'verdict', 'reason'],
    () => read().flatMap(verdicts),
  )
  const help = 'Time to a verdict of the upper layer'
  return metrics.histogram('floodgate_handler_seconds', help, HANDLER_BUCKETS, ['topic', 'phase'])
}

function verdicts({ topic, outcomes }: TopicReading) {
  return [...outcomes].map(([outcome, count]) => {
    const [verdict = '', reason = ''] = outcome.split(' ')
    return [{ topic, verdict, reason }, count] as const
  })
}
