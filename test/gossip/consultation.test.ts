import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Consultation } from '../../src/gossip/consultation.ts'
import type { Ruling } from '../../src/gossip/ruling.ts'
import { FakeLog, FakeMetrics, FakeWatchdog, settleMicrotasks, VirtualClock } from '../fixtures/fakes.ts'

const TOPIC = 'tx'

function setUp() {
  const clock = new VirtualClock()
  const log = new FakeLog()
  const watchdog = new FakeWatchdog()
  const metrics = new FakeMetrics()
  const consultation = new Consultation({ clock, log, watchdog }, metrics.histogram('seconds'))
  const rulings: Ruling[] = []
  const ask = (question: () => unknown, phase: 'quick' | 'full' = 'full', topic = TOPIC): void =>
    consultation.ask(topic, phase, question, ruling => rulings.push(ruling))
  const ruled = (): string[] => rulings.map(({ verdict, reason }) => `${verdict} ${reason}`)
  return { clock, log, watchdog, metrics, consultation, ask, rulings, ruled }
}

describe('a question', () => {
  const answers: [id: string, question: () => unknown, ruled: string][] = [
    ['a verdict', () => 'accept', 'accept handler'],
    ['a boolean', () => false, 'reject handler'],
    ['a hold', () => ({ hold: [] }), 'ignore hold'],
    ['nothing', () => undefined, 'ignore threw'],
    [
      'an exception',
      () => {
        throw new Error('bug')
      },
      'ignore threw',
    ],
    [
      'an object whose parts cannot be read',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: any object may come.
        get then() {
          throw new Error('bug')
        },
      }),
      'ignore threw',
    ],
  ]
  for (const [id, question, ruled] of answers) {
    it(`is ruled on at once when the answer is no promise: ${id}`, () => {
      const world = setUp()
      world.ask(question)
      assert.deepEqual(world.ruled(), [ruled])
    })
  }

  const promises: [id: string, question: () => unknown, ruled: string][] = [
    ['a verdict', async () => 'accept', 'accept handler'],
    ['a hold', async () => ({ hold: [] }), 'ignore hold'],
    ['nothing', async () => {}, 'ignore threw'],
    ['a failure', () => Promise.reject(new Error('bug')), 'ignore threw'],
    ['a failure without an error', () => Promise.reject(), 'ignore threw'],
  ]
  for (const [id, question, ruled] of promises) {
    it(`is ruled on later when it is one: ${id}`, async () => {
      const world = setUp()
      world.ask(question)
      assert.deepEqual(world.ruled(), [])
      await settleMicrotasks()
      assert.deepEqual(world.ruled(), [ruled])
    })
  }

  it('is ruled on once, whatever a promise of another library does', async () => {
    const world = setUp()
    world.ask(() => ({
      // biome-ignore lint/suspicious/noThenProperty: promises of other libraries are just this.
      then: (resolve: (value: string) => void, reject: (error: Error) => void) => {
        resolve('accept')
        reject(new Error('or not'))
        resolve('reject')
        throw new Error('or neither')
      },
    }))
    await settleMicrotasks()
    assert.deepEqual(world.ruled(), ['accept handler'])
  })

  it('for a quick verdict has no hold for an answer', async () => {
    const world = setUp()
    world.ask(() => ({ hold: [] }), 'quick')
    world.ask(async () => ({ hold: [] }), 'quick')
    world.ask(() => true, 'quick')
    await settleMicrotasks()
    assert.deepEqual(world.ruled(), ['ignore threw', 'accept handler', 'ignore threw'])
  })

  it('is watched and measured, with the time that a promise takes', async () => {
    const world = setUp()
    const { promise, resolve } = Promise.withResolvers<string>()
    world.ask(() => promise)
    world.clock.advance(250)
    resolve('accept')
    await settleMicrotasks()
    world.ask(() => true, 'quick', 'other')
    assert.deepEqual(world.watchdog.parts, ['handler of tx', 'handler of other'])
    assert.deepEqual(world.metrics.observed, [
      { series: 'seconds{phase=full,topic=tx}', value: 0.25 },
      { series: 'seconds{phase=quick,topic=other}', value: 0 },
    ])
  })
})

describe('a complaint', () => {
  const lines = ({ log }: ReturnType<typeof setUp>): string[] =>
    log.lines.map(({ level, message, fields }) => `${level} ${fields.topic} ${fields.times} ${message}`)

  it('is a line the 1st, 10th, 100th … time, each sentence and each topic for itself', () => {
    const world = setUp()
    for (let time = 0; time < 1_500; time++) world.consultation.complain(TOPIC, 'a')
    for (let time = 0; time < 11; time++) world.consultation.complain(TOPIC, 'b')
    world.consultation.complain('other', 'a')
    assert.deepEqual(lines(world), [
      'warn tx 1 a',
      'warn tx 10 a',
      'warn tx 100 a',
      'warn tx 1000 a',
      'warn tx 1 b',
      'warn tx 10 b',
      'warn other 1 a',
    ])
  })

  it('says what went wrong, if that is known', () => {
    const world = setUp()
    world.consultation.complain(TOPIC, 'a')
    world.ask(() => {
      throw new Error('our own bug')
    })
    assert.equal('error' in (world.log.lines[0]?.fields ?? {}), false)
    assert.match(String(world.log.lines[1]?.fields.error), /^Error: our own bug\n/)
  })

  it('begins anew when the topic was left', () => {
    const world = setUp()
    for (let time = 0; time < 3; time++) world.consultation.complain(TOPIC, 'a')
    world.consultation.forget(TOPIC)
    world.consultation.complain(TOPIC, 'a')
    assert.deepEqual(lines(world), ['warn tx 1 a', 'warn tx 1 a'])
  })
})
