/** A router on fakes, and what it told. */
import assert from 'node:assert/strict'
import type { Message } from '../../src/core/types.ts'
import type { TopicLimits } from '../../src/core/upper.ts'
import { Router } from '../../src/gossip/router.ts'
import type { TopicSetup } from '../../src/gossip/topic-state.ts'
import type { FakeChannel } from '../fixtures/fake-channel.ts'
import { FakePubSub } from '../fixtures/fake-pubsub.ts'
import { FakeSigner } from '../fixtures/fake-signer.ts'
import { FakeHost, FakeLog, FakeMetrics, FakeWatchdog, VirtualClock } from '../fixtures/fakes.ts'

export const TOPIC = 'tx'

export const LIMITS: TopicLimits = {
  mode: 'flood',
  floodDegree: 'mesh',
  maxPayloadBytes: 100,
  verdictTimeoutMs: 1_000,
  concurrency: 1,
  queueMaxMessages: 20_000,
  queueMaxBytes: 1_000_000,
  askFromBytes: 1_000,
  swarmFromBytes: 10_000,
  keepMaxBytes: 1_000_000,
  holdMs: 10_000,
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
  const host = new FakeHost(() => assert.fail('the router opens no connections'))
  const signer = new FakeSigner('self')
  const router = new Router(
    { seenTtlMs: 600_000, seenMax: 100_000 },
    { clock, log, metrics, pubsub, watchdog, host, signer, network: 'test', random: () => 0.5 },
    {
      judged: (message, verdict, reason, late) =>
        told.push(`${verdict} ${textOf(message)} ${reason}${late ? ' late' : ''}`),
      stopped: ({ topic, verdict, reason }) => told.push(`stopped ${topic} ${verdict} ${reason}`),
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
  const channel = host.channels.get('/floodgate/test/ask/1') as FakeChannel
  /** A peer that speaks the ask protocol shakes hands. */
  const connect = (peer: string): void => {
    router.spread.connected(peer)
    channel.connect(peer)
  }
  const verdicts = () => pubsub.settled.map(({ from, verdict }) => `${verdict} ${from}`)
  const warnings = () => log.lines.filter(line => line.level === 'warn')
  return {
    router,
    clock,
    log,
    metrics,
    pubsub,
    watchdog,
    /** Of the ask protocol. */
    channel,
    told,
    subscribe,
    receive,
    connect,
    verdicts,
    warnings,
  }
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
