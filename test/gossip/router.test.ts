import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { messageHex, messageId } from '../../src/core/hash.ts'
import { HEADER_MAX_BYTES } from '../../src/core/limits.ts'
import type { HandlerResult, Preview } from '../../src/core/upper.ts'
import { FakePubSub } from '../fixtures/fake-pubsub.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { payloadOf, SlowHandler, setUpRouter, TOPIC } from './router-setup.ts'

/** Answers that no type allows come as well: not every program has types. */
const anything = (value: unknown): HandlerResult => value as HandlerResult

/** How a handler may answer, and what becomes of the message. `P` has sent it. */
const answers: {
  id: string
  handler: () => HandlerResult | Promise<HandlerResult>
  settled: string
  told: string
  complaint?: RegExp
}[] = [
  { id: 'accept', handler: () => 'accept', settled: 'accept P', told: 'accept m handler' },
  { id: 'true', handler: () => true, settled: 'accept P', told: 'accept m handler' },
  { id: 'ignore', handler: () => 'ignore', settled: 'ignore P', told: 'ignore m handler' },
  { id: 'reject', handler: () => 'reject', settled: 'reject P', told: 'reject m handler' },
  { id: 'false', handler: () => false, settled: 'reject P', told: 'reject m handler' },
  {
    id: 'hold',
    handler: () => ({ hold: [messageId(TOPIC, payloadOf('other'))] }),
    settled: 'ignore P',
    told: 'ignore m hold',
  },
  {
    id: 'no verdict',
    handler: () => anything(undefined),
    settled: 'ignore P',
    told: 'ignore m threw',
    complaint: /a handler failed/,
  },
  {
    id: 'something that JSON cannot say',
    handler: () => anything(10n),
    settled: 'ignore P',
    told: 'ignore m threw',
    complaint: /a handler failed/,
  },
  {
    id: 'an exception',
    handler: () => {
      throw new Error('our own bug')
    },
    settled: 'ignore P',
    told: 'ignore m threw',
    complaint: /a handler failed/,
  },
  {
    id: 'an exception that is no error',
    handler: () => {
      throw Object.create(null)
    },
    settled: 'ignore P',
    told: 'ignore m threw',
    complaint: /a handler failed/,
  },
]

describe('the handler', () => {
  for (const { id, handler, settled, told, complaint } of answers) {
    for (const [how, call] of [
      ['at once', handler],
      ['as a promise', async () => handler()],
    ] as const) {
      it(`may answer ${how}: ${id}`, async () => {
        const world = setUpRouter({ handler: call })
        world.receive('m')
        await settleMicrotasks()
        assert.deepEqual(world.verdicts(), [settled])
        assert.deepEqual(
          world.told.filter(line => !line.startsWith('offence')),
          [told],
        )
        const blame = `offence P rejected ${TOPIC} ${messageHex(messageId(TOPIC, payloadOf('m')))}`
        assert.equal(world.told.includes(blame), settled.startsWith('reject'))
        assert.equal(world.warnings().length, complaint === undefined ? 0 : 1)
        if (complaint !== undefined) assert.match(world.warnings()[0]?.message ?? '', complaint)
        assert.deepEqual(world.watchdog.parts, [`handler of ${TOPIC}`, `the listeners of ${TOPIC}`])
      })
    }
  }

  it('may answer with the promise of another library, even one that breaks its word', async () => {
    const thenables = [
      {
        // biome-ignore lint/suspicious/noThenProperty: promises of other libraries are just this.
        then: (resolve: (value: string) => void) => {
          resolve('accept')
          resolve('reject')
        },
      },
      {
        // biome-ignore lint/suspicious/noThenProperty: promises of other libraries are just this.
        then: () => {
          throw new Error('broken')
        },
      },
    ]
    const world = setUpRouter({ handler: () => anything(thenables.shift()) })
    world.receive('m')
    await settleMicrotasks()
    world.receive('n')
    await settleMicrotasks()
    assert.deepEqual(world.verdicts(), ['accept P', 'ignore P'])
  })

  it('sees the message as it came', () => {
    const seen: unknown[] = []
    const world = setUpRouter({ handler: message => seen.push(message) > 0 })
    world.clock.advance(123)
    world.receive('m', 'Q')
    const payload = payloadOf('m')
    const receivedAtMs = world.clock.wallMs()
    assert.deepEqual(seen, [
      { id: messageId(TOPIC, payload), topic: TOPIC, payload, from: 'Q', receivedAtMs },
    ])
  })

  it('is asked once for a message, however many peers send it', async () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({ handler: slow.handle })
    world.receive('m', 'P')
    world.receive('m', 'Q')
    slow.asked[0]?.answer('reject')
    await settleMicrotasks()
    world.receive('m', 'R')
    assert.equal(slow.asked.length, 1)
    assert.deepEqual(world.verdicts(), ['reject P', 'reject Q', 'ignore R'])
    const offences = world.told.filter(line => line.startsWith('offence'))
    assert.deepEqual(
      offences.map(line => line.slice(0, 9)),
      ['offence P', 'offence Q'],
    )
  })

  it('that is late still delivers', async () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({ handler: slow.handle })
    world.receive('m')
    world.clock.advance(1_050)
    assert.deepEqual(world.verdicts(), ['ignore P'])
    assert.match(world.warnings()[0]?.message ?? '', /not there after 1000 ms/)
    slow.asked[0]?.answer('accept')
    await settleMicrotasks()
    assert.deepEqual(world.told, ['accept m handler late'])
    assert.deepEqual(world.verdicts(), ['ignore P'])
  })

  it('that never returns does not stop the topic', () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({ handler: slow.handle })
    for (const text of ['a', 'b', 'c']) world.receive(text)
    world.clock.advance(5_000)
    assert.deepEqual(
      slow.asked.map(call => call.text),
      ['a', 'b', 'c'],
    )
    assert.deepEqual(world.pubsub.unsettled, [])
  })

  it('that was slow and becomes fast works through 10,000 messages without a deep call stack', async () => {
    const asked: string[] = []
    const first = new SlowHandler<HandlerResult>()
    const world = setUpRouter({
      handler: message => {
        asked.push('')
        return asked.length === 1 ? first.handle(message) : 'accept'
      },
    })
    for (let index = 0; index < 10_001; index++) world.receive(`m${index}`)
    assert.deepEqual([asked.length, world.router.counts(TOPIC)?.queued], [1, 10_000])
    first.asked[0]?.answer('accept')
    await settleMicrotasks()
    assert.deepEqual([asked.length, world.pubsub.unsettled.length], [10_001, 0])
    assert.equal(world.router.counts(TOPIC)?.accepted, 10_001)
  })

  it('may propagate while it judges', async () => {
    const world = setUpRouter({
      handler: () => {
        void world.router.propagate(TOPIC, payloadOf('answer'), {
          maxPayloadBytes: 100,
          floodDegree: 'mesh',
        })
        return 'accept'
      },
    })
    world.receive('question')
    await settleMicrotasks()
    assert.deepEqual(world.pubsub.published, [{ topic: TOPIC, payload: payloadOf('answer') }])
    world.receive('answer', 'Q')
    assert.deepEqual(world.verdicts(), ['accept P', 'ignore Q'])
  })
})

describe('the quick verdict', () => {
  const HEADER = payloadOf('head')

  it('sees id, size, header and payload, and decides alone whether the message goes on', async () => {
    const seen: Preview[] = []
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({
      handler: slow.handle,
      header: payload => payload.subarray(0, 4),
      quickVerify: preview => seen.push(preview) > 0,
    })
    const payload = payloadOf('header and more')
    world.receive('header and more')
    assert.deepEqual(seen, [{ id: messageId(TOPIC, payload), sizeBytes: 15, header: HEADER, payload }])
    assert.deepEqual([world.verdicts(), world.told], [['accept P'], []])
    slow.asked[0]?.answer('ignore')
    await settleMicrotasks()
    assert.deepEqual(world.told, ['ignore header and more handler'])
  })

  it('is not asked with a header longer than one that can be carried: our caller has failed', () => {
    const asked: Preview[] = []
    const world = setUpRouter({
      header: () => new Uint8Array(HEADER_MAX_BYTES + 1),
      quickVerify: preview => asked.push(preview) > 0,
    })
    world.receive('m')
    assert.deepEqual([asked, world.verdicts(), world.told], [[], ['ignore P'], ['ignore m threw']])
  })

  it('sees an empty header where the topic has none', () => {
    const headers: Uint8Array[] = []
    const world = setUpRouter({ quickVerify: preview => headers.push(preview.header) > 0 })
    world.receive('m')
    assert.deepEqual(headers, [new Uint8Array(0)])
  })

  const cases: { id: string; quick: () => unknown; settled: string; told: string[] }[] = [
    { id: 'accept', quick: () => 'accept', settled: 'accept P', told: ['accept m handler'] },
    { id: 'true', quick: () => true, settled: 'accept P', told: ['accept m handler'] },
    { id: 'ignore', quick: () => 'ignore', settled: 'ignore P', told: ['ignore m quick'] },
    { id: 'reject', quick: () => 'reject', settled: 'reject P', told: ['reject m quick'] },
    { id: 'false, as a promise', quick: async () => false, settled: 'reject P', told: ['reject m quick'] },
    { id: 'nothing', quick: () => undefined, settled: 'ignore P', told: ['ignore m threw'] },
    { id: 'null', quick: () => null, settled: 'ignore P', told: ['ignore m threw'] },
    { id: 'hold', quick: () => ({ hold: [] }), settled: 'ignore P', told: ['ignore m threw'] },
    {
      id: 'a failure',
      quick: () => Promise.reject(new Error('bug')),
      settled: 'ignore P',
      told: ['ignore m threw'],
    },
  ]
  for (const { id, quick, settled, told } of cases) {
    it(`may be ${id}`, async () => {
      let asked = 0
      const world = setUpRouter({
        handler: () => {
          asked++
          return 'accept'
        },
        quickVerify: () => quick() as boolean,
      })
      world.receive('m')
      await settleMicrotasks()
      assert.deepEqual(world.verdicts(), [settled])
      assert.deepEqual(
        world.told.filter(line => !line.startsWith('offence')),
        told,
      )
      assert.equal(
        world.told.some(line => line.startsWith('offence P rejected')),
        settled === 'reject P',
      )
      assert.equal(asked, settled === 'accept P' ? 1 : 0)
      assert.equal(world.warnings().length, /threw/.test(told[0] ?? '') ? 1 : 0)
    })
  }

  it('whose header function fails is ignored', () => {
    const world = setUpRouter({
      header: () => {
        throw new Error('too short')
      },
      quickVerify: () => 'accept',
    })
    world.receive('m')
    assert.deepEqual([world.verdicts(), world.told], [['ignore P'], ['ignore m threw']])
    assert.match(String(world.warnings()[0]?.fields.error), /too short/)
  })

  it('followed by a reject of the handler counts, and blames nobody', async () => {
    const world = setUpRouter({ handler: async () => false, quickVerify: () => 'accept' })
    world.receive('m')
    await settleMicrotasks()
    assert.deepEqual(world.verdicts(), ['accept P'])
    assert.deepEqual(world.told, ['reject m handler'])
  })
})

describe('a subscription', () => {
  it('is handed to gossip with its limits', () => {
    const world = setUpRouter({ limits: { floodDegree: 'all', maxPayloadBytes: 7 } })
    assert.deepEqual([...world.pubsub.topics], [[TOPIC, { maxPayloadBytes: 7, toAll: true }]])
  })

  it('exists once, and its topic has a name', () => {
    const world = setUpRouter()
    for (const topic of [TOPIC, '', 'é'.repeat(129)]) {
      assert.throws(() => world.subscribe(topic), { name: 'FloodgateError', code: 'TOPIC' })
    }
    world.subscribe('é'.repeat(128))
  })

  it('that ends settles what is pending, and late verdicts change nothing', async () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({ handler: slow.handle })
    world.receive('m')
    world.receive('n')
    world.router.unsubscribe(TOPIC)
    assert.deepEqual(world.verdicts(), ['ignore P', 'ignore P'])
    slow.asked[0]?.answer('accept')
    await settleMicrotasks()
    world.clock.advance(10_000)
    assert.deepEqual([world.told, slow.asked.length, world.pubsub.topics.size], [[], 1, 0])
    assert.equal(world.router.counts(TOPIC), undefined)
    world.router.unsubscribe(TOPIC)
  })

  it('that ended leaves nothing unsettled of what still comes', () => {
    const world = setUpRouter()
    world.router.unsubscribe(TOPIC)
    world.receive('m')
    assert.deepEqual(world.verdicts(), ['ignore P'])
  })

  it('that its own handler ends calls the handler no more', () => {
    let calls = 0
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({
      limits: { concurrency: 2 },
      handler: message => {
        if (++calls <= 2) return slow.handle(message)
        world.router.unsubscribe(TOPIC)
        return 'accept'
      },
    })
    for (const text of ['a', 'b', 'c', 'd']) world.receive(text)
    // Both places become free in the same tick, and c's call ends the subscription before d's.
    world.clock.advance(1_000)
    assert.equal(calls, 3)
    assert.deepEqual(world.pubsub.unsettled, [])
  })

  it('may be made anew, and remembers what was judged before', () => {
    const world = setUpRouter()
    world.receive('m')
    world.router.unsubscribe(TOPIC)
    world.subscribe()
    world.receive('m', 'Q')
    world.receive('n', 'Q')
    assert.deepEqual(world.verdicts(), ['accept P', 'ignore Q', 'accept Q'])
  })

  it('ends when the router stops, without telling gossip to leave its topics', () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({ handler: slow.handle })
    world.subscribe('other')
    world.receive('m')
    world.receive('m', 'P', 'other')
    world.router.stop()
    assert.deepEqual([world.pubsub.unsettled, world.pubsub.topics.size, world.clock.timers], [[], 2, 0])
    assert.equal(world.router.counts(TOPIC), undefined)
  })

  it('keeps its messages apart from those of other topics', () => {
    const world = setUpRouter()
    world.subscribe('other')
    world.receive('m')
    world.receive('m', 'P', 'other')
    assert.deepEqual(world.verdicts(), ['accept P', 'accept P'])
    assert.deepEqual(
      world.watchdog.parts.filter(part => part.startsWith('handler')),
      ['handler of tx', 'handler of other'],
    )
    assert.deepEqual([world.router.counts(TOPIC)?.accepted, world.router.counts('other')?.accepted], [1, 1])
  })
})

describe('the pubsub of these tests', () => {
  it('does not let a ticket be settled twice, or for another peer', () => {
    const pubsub = new FakePubSub()
    const { ticket } = pubsub.message(TOPIC, payloadOf('m'), 'P')
    assert.throws(() => pubsub.settle(TOPIC, ticket, 'Q', 'accept'), assert.AssertionError)
    pubsub.settle(TOPIC, ticket, 'P', 'accept')
    assert.throws(() => pubsub.settle(TOPIC, ticket, 'P', 'accept'), assert.AssertionError)
  })
})
