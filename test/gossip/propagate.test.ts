/** Propagating, logging and metrics of the router. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { messageId } from '../../src/core/hash.ts'
import type { HandlerResult } from '../../src/core/upper.ts'
import { OVERDUE_MAX } from '../../src/gossip/gate.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { payloadOf, SlowHandler, setUpRouter, TOPIC } from './router-setup.ts'

/** What holds for a topic without a subscription. */
const upTo = (maxPayloadBytes: number) => ({ maxPayloadBytes, floodDegree: 'mesh' }) as const

describe('propagating', () => {
  it('publishes once, and says to how many', async () => {
    const world = setUpRouter()
    const payload = payloadOf('m')
    const id = messageId(TOPIC, payload)
    assert.deepEqual(await world.router.propagate(TOPIC, payload, upTo(100)), {
      id,
      seen: false,
      recipients: 3,
    })
    assert.deepEqual(await world.router.propagate(TOPIC, payload, upTo(100)), {
      id,
      seen: true,
      recipients: 0,
    })
    assert.deepEqual(world.pubsub.published, [{ topic: TOPIC, payload }])
    assert.equal(world.router.counts(TOPIC)?.propagated, 1)
  })

  it('does not ask our own handler, nor pass on what comes back', async () => {
    const world = setUpRouter()
    await world.router.propagate(TOPIC, payloadOf('m'), upTo(100))
    world.receive('m')
    assert.deepEqual([world.watchdog.parts, world.verdicts()], [[], ['ignore P']])
  })

  it('the same again works when it is forgotten, also when nothing else happened', async () => {
    const world = setUpRouter()
    await world.router.propagate(TOPIC, payloadOf('m'), upTo(100))
    world.clock.advance(2 * 600_000)
    assert.equal((await world.router.propagate(TOPIC, payloadOf('m'), upTo(100))).seen, false)
  })

  it('knows what was received, and what waits for its verdict', async () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({ handler: slow.handle })
    world.receive('m')
    assert.equal((await world.router.propagate(TOPIC, payloadOf('m'), upTo(100))).seen, true)
    slow.asked[0]?.answer('accept')
    await settleMicrotasks()
    assert.equal((await world.router.propagate(TOPIC, payloadOf('m'), upTo(100))).seen, true)
    assert.deepEqual([world.pubsub.published, world.verdicts()], [[], ['accept P']])
  })

  it('believes gossip when it has seen the message', async () => {
    const world = setUpRouter()
    world.pubsub.publishing = async () => ({ recipients: 0, seen: true })
    assert.equal((await world.router.propagate(TOPIC, payloadOf('m'), upTo(100))).seen, true)
    assert.equal(world.router.counts(TOPIC)?.propagated, 0)
  })

  it('that fails can be tried again', async () => {
    const world = setUpRouter()
    const works = world.pubsub.publishing
    world.pubsub.publishing = async () => {
      throw new Error('no room')
    }
    await assert.rejects(world.router.propagate(TOPIC, payloadOf('m'), upTo(100)), /no room/)
    world.pubsub.publishing = works
    assert.equal((await world.router.propagate(TOPIC, payloadOf('m'), upTo(100))).seen, false)
  })

  it('twice at once publishes once', async () => {
    const world = setUpRouter()
    const results = await Promise.all(
      [1, 2].map(() => world.router.propagate(TOPIC, payloadOf('m'), upTo(100))),
    )
    assert.deepEqual([results.map(result => result.seen), world.pubsub.published.length], [[false, true], 1])
  })

  it('needs no subscription, and then has the limit that it is given', async () => {
    const world = setUpRouter()
    assert.equal((await world.router.propagate('other', payloadOf('12345'), upTo(5))).recipients, 3)
    assert.equal((await world.router.propagate('other', payloadOf('12345'), upTo(5))).seen, true)
    await assert.rejects(world.router.propagate('other', payloadOf('123456'), upTo(5)), { code: 'TOO_LARGE' })
  })

  it('refuses what is too large for the topic, to the byte', async () => {
    const world = setUpRouter({ limits: { maxPayloadBytes: 5 } })
    await world.router.propagate(TOPIC, payloadOf('12345'), upTo(1_000))
    await assert.rejects(world.router.propagate(TOPIC, payloadOf('123456'), upTo(1_000)), {
      name: 'FloodgateError',
      code: 'TOO_LARGE',
      message: '6 bytes are more than topic tx allows (maxPayloadBytes 5)',
    })
    assert.equal(world.pubsub.published.length, 1)
  })

  it('refuses what is no topic', async () => {
    const world = setUpRouter()
    for (const topic of ['', 'é'.repeat(129)]) {
      await assert.rejects(world.router.propagate(topic, payloadOf('m'), upTo(100)), { code: 'TOPIC' })
    }
  })
})

describe('complaints', () => {
  it('are logged the 1st, 10th, 100th time, each kind for itself and for each topic', () => {
    const world = setUpRouter({
      handler: message => {
        // A sentence of its own: it waits for itself.
        if (message.payload.byteLength > 10) return { hold: [message.id] }
        throw new Error('bug')
      },
    })
    world.subscribe('other')
    for (let index = 0; index < 1_200; index++) world.receive(`m${index}`)
    for (let index = 0; index < 15; index++) world.receive(`a longer one ${index}`)
    world.receive('m', 'P', 'other')
    const lines = world
      .warnings()
      .map(({ message, fields }) => `${fields.topic} ${fields.times} ${message.slice(0, 18)}`)
    assert.deepEqual(lines, [
      'tx 1 a handler failed: ',
      'tx 10 a handler failed: ',
      'tx 100 a handler failed: ',
      'tx 1000 a handler failed: ',
      'tx 1 a held message was',
      'tx 10 a held message was',
      'other 1 a handler failed: ',
    ])
    assert.match(String(world.warnings()[0]?.fields.error), /^Error: bug\n/)
    assert.equal('error' in (world.warnings()[4]?.fields ?? {}), false)
  })
})

/** Without those of the other ways, which `spread-metrics.test.ts` tests. */
const ofTheGate = (values: Record<string, number>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(values).filter(([name]) => /^floodgate_(accepted|message|queue|verdict)/.test(name)),
  )

describe('the metrics of gossip', () => {
  it('begin at zero for each topic', () => {
    const world = setUpRouter()
    assert.deepEqual(ofTheGate(world.metrics.read()), {
      'floodgate_messages_received_total{topic=tx}': 0,
      'floodgate_messages_propagated_total{topic=tx}': 0,
      'floodgate_message_copies_total{topic=tx}': 0,
      'floodgate_verdicts_late_total{topic=tx}': 0,
      'floodgate_verdicts_overdue_total{topic=tx}': 0,
      'floodgate_accepted_bytes_total{topic=tx}': 0,
      'floodgate_queue_messages{topic=tx}': 0,
      'floodgate_messages_held{topic=tx}': 0,
    })
  })

  it('count what happened', async () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({ handler: slow.handle, limits: { concurrency: 3, queueMaxMessages: 1 } })
    for (const text of ['accepted', 'rejected', 'late', 'dropped', 'waiting']) world.receive(text)
    world.receive('accepted', 'Q')
    await world.router.propagate(TOPIC, payloadOf('ours'), upTo(100))
    slow.asked[0]?.answer('accept')
    slow.asked[1]?.fail(new Error('bug'))
    await settleMicrotasks()
    world.clock.advance(1_000)
    slow.asked[2]?.answer('reject')
    await settleMicrotasks()
    assert.deepEqual(ofTheGate(world.metrics.read()), {
      'floodgate_messages_received_total{topic=tx}': 5,
      'floodgate_messages_propagated_total{topic=tx}': 1,
      'floodgate_message_copies_total{topic=tx}': 6,
      'floodgate_verdicts_late_total{topic=tx}': 1,
      'floodgate_verdicts_overdue_total{topic=tx}': 2,
      'floodgate_accepted_bytes_total{topic=tx}': 8,
      'floodgate_queue_messages{topic=tx}': 0,
      'floodgate_messages_held{topic=tx}': 0,
      'floodgate_verdicts_total{reason=handler,topic=tx,verdict=accept}': 1,
      'floodgate_verdicts_total{reason=handler,topic=tx,verdict=reject}': 1,
      'floodgate_verdicts_total{reason=overflow,topic=tx,verdict=ignore}': 1,
      'floodgate_verdicts_total{reason=threw,topic=tx,verdict=ignore}': 1,
    })
    assert.deepEqual(world.router.counts(TOPIC), {
      received: 5,
      accepted: 1,
      ignored: 2,
      rejected: 1,
      late: 1,
      overdue: 2,
      acceptedBytes: 8,
      propagated: 1,
      queued: 0,
    })
  })

  it('show what waits now', () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({ handler: slow.handle })
    for (const text of ['a', 'b', 'c']) world.receive(text)
    assert.equal(world.metrics.read()['floodgate_queue_messages{topic=tx}'], 2)
    assert.equal(world.router.counts(TOPIC)?.queued, 2)
  })

  it('do not count as late what was dropped without a verdict', async () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({ handler: slow.handle, limits: { queueMaxMessages: 2 } })
    world.receive('a')
    world.clock.advance(500)
    for (const text of ['b', 'c']) world.receive(text)
    world.clock.advance(400)
    slow.asked[0]?.answer('accept')
    await settleMicrotasks()
    world.clock.advance(650)
    for (const text of ['d', 'e']) world.receive(text)
    assert.deepEqual(world.told, ['accept a handler', 'ignore c overflow late'])
    assert.equal(world.router.counts(TOPIC)?.late, 0)
  })

  it('do not count as late what was given up', () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({ handler: slow.handle, limits: { concurrency: 2_000 } })
    for (let index = 0; index <= OVERDUE_MAX; index++) world.receive(`m${index}`)
    world.clock.advance(1_000)
    assert.deepEqual(world.told, ['ignore m0 timeout late'])
    assert.equal(world.router.counts(TOPIC)?.late, 0)
  })

  it('time each answer by topic and phase, in seconds', async () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({ handler: slow.handle, quickVerify: () => 'accept' })
    world.receive('m')
    world.clock.advance(250)
    slow.asked[0]?.answer('accept')
    await settleMicrotasks()
    assert.deepEqual(world.metrics.observed, [
      { series: 'floodgate_handler_seconds{phase=quick,topic=tx}', value: 0 },
      { series: 'floodgate_handler_seconds{phase=full,topic=tx}', value: 0.25 },
    ])
  })
})
