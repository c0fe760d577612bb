/** A router on fakes, and what it told. */
import type { Message } from '../../src/core/types.ts'
import type { TopicLimits } from '../../src/core/upper.ts'
import { Router, type TopicSetup } from '../../src/gossip/router.ts'
import { FakeLog, FakeMetrics, FakePubSub, FakeWatchdog, VirtualClock } from '../fixtures/fakes.ts'

export const TOPIC = 'tx'

export const LIMITS: TopicLimits = {
  mode: 'flood',
  floodDegree: 'mesh',
  maxPayloadBytes: 100,
  verdictTimeoutMs: 1_000,
  concurrency: 1,
  queueMaxMessages: 20_000,
  queueMaxBytes: 1_000_000,
}

export const payloadOf = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (message: Message): string => new TextDecoder().decode(message.payload)

/** @param topic what differs from a topic that accepts everything */
export function setUpRouter(
  topic: Omit<Partial<TopicSetup>, 'limits'> & { limits?: Partial<TopicLimits> } = {},
) {
  const told: string[] = []
  const clock = new VirtualClock()
  const log = new FakeLog()
  const metrics = new FakeMetrics()
  const pubsub = new FakePubSub()
  const watchdog = new FakeWatchdog()
  const router = new Router(
    { seenTtlMs: 600_000, seenMax: 100_000 },
    { clock, log, metrics, pubsub, watchdog },
    {
      judged: (message, verdict, reason, late) =>
        told.push(`${verdict} ${textOf(message)} ${reason}${late ? ' late' : ''}`),
      offence: (peer, offence, detail) => told.push(`offence ${peer} ${offence} ${detail}`),
    },
  )
  const subscribe = (name = TOPIC) =>
    router.subscribe(name, { handler: () => 'accept', ...topic, limits: { ...LIMITS, ...topic.limits } })
  subscribe()
  router.start()
  /** A message comes out of gossip. */
  const receive = (text: string, from = 'P', name = TOPIC) =>
    router.receive(pubsub.message(name, payloadOf(text), from))
  const verdicts = () => pubsub.settled.map(({ from, verdict }) => `${verdict} ${from}`)
  const warnings = () => log.lines.filter(line => line.level === 'warn')
  return { router, clock, log, metrics, pubsub, watchdog, told, subscribe, receive, verdicts, warnings }
}

/** A handler that answers when the test says so, in any order. */
export class SlowHandler<T> {
  readonly asked: { readonly text: string; answer(value: T): void; fail(error: unknown): void }[] = []

  readonly handle = (message: Message): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.asked.push({ text: textOf(message), answer: resolve, fail: reject })
    return promise
  }
}
