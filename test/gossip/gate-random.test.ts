/**
 * The gate under random events, beside its naive twin (every action and accessor must agree) and under the eyes of
 * a book-keeper (the promises must hold). Few messages, few peers and small bounds, so that things collide.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Seen } from '../../src/core/seen.ts'
import type { Verdict } from '../../src/core/types.ts'
import { Gate, type GateAction, type GateEvent, type GateOptions } from '../../src/gossip/gate.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { GateLedger } from './gate-ledger.ts'
import { GateTwin } from './gate-twin.ts'

const TIMEOUT_MS = 100
const SEEN = { ttlMs: 1_000, max: 10_000 }
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f']

type Random =
  | {
      readonly type: 'message'
      readonly key: string
      readonly from: string
      readonly sizeBytes: number
      /** Of what did not come by gossip, some has been vouched for. */
      readonly way: 'gossip' | 'other' | 'vouched'
    }
  /** An answer to the call that is `back` calls old, perhaps with something wrong about it. */
  | {
      readonly type: 'answer'
      readonly back: number
      readonly verdict: Verdict
      readonly wrong: 'nothing' | 'kind' | 'call' | 'key'
    }
  /** The same message from more peers than the gate remembers. */
  | { readonly type: 'crowd'; readonly key: string }
  /** The id becomes known without this gate: we propagate it ourselves. */
  | { readonly type: 'elsewhere'; readonly key: string }
  | { readonly type: 'tick' | 'close' }

const what: fc.Arbitrary<Random> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('message' as const),
      key: fc.constantFrom(...KEYS),
      from: fc.constantFrom('p', 'q', 'r', 's'),
      sizeBytes: fc.constantFrom(0, 1, 10, 40, 60),
      way: fc.constantFrom('gossip', 'gossip', 'gossip', 'gossip', 'other', 'vouched'),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('answer' as const),
      back: fc.nat(8),
      verdict: fc.constantFrom('accept' as const, 'ignore' as const, 'reject' as const),
      wrong: fc.constantFrom(
        ...Array(12).fill('nothing' as const),
        'kind' as const,
        'call' as const,
        'key' as const,
      ),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ type: 'tick' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom('elsewhere', 'crowd'), key: fc.constantFrom(...KEYS) }),
  },
)

const event = fc.record({
  waitMs: fc.constantFrom(0, 0, 0, 0, 1, 5, 20, 50, 99, 100, 101, 1_000),
  what: fc.oneof(
    { weight: 40, arbitrary: what },
    { weight: 1, arbitrary: fc.constant({ type: 'close' as const }) },
  ),
})

/** Feeds both machines the same events and compares. */
class Pair {
  readonly #seen = new Seen(SEEN)
  readonly #gate: Gate<string>
  readonly #twin: GateTwin<string>
  readonly #ledger = new GateLedger(SEEN.ttlMs)
  readonly #calls: { readonly type: 'quick' | 'verdict'; readonly key: string; readonly call: number }[] = []
  #tickets = 0
  nowMs = 0

  constructor(options: GateOptions) {
    this.#gate = new Gate(options, this.#seen)
    this.#twin = new GateTwin(options, SEEN)
  }

  play(random: Random): GateAction<string>[] {
    if (random.type === 'crowd') {
      const peers = Array.from({ length: 20 }, (_, index) => `crowd-${index}`)
      const { key } = random
      return peers.flatMap(from => this.play({ type: 'message', key, from, sizeBytes: 1, way: 'gossip' }))
    }
    if (random.type === 'elsewhere') {
      if (this.#gate.knows(random.key, this.nowMs)) return []
      this.#seen.add(random.key, this.nowMs)
      this.#twin.markSeen(random.key, this.nowMs)
      this.#ledger.markSeen(random.key, this.nowMs)
      return []
    }
    const made = this.#eventOf(random)
    if (made === undefined) return []
    const wasKnown = made.type === 'message' && this.#gate.knows(made.key, this.nowMs)
    const actions = this.#gate.handle(made, this.nowMs)
    this.#gate.check(this.nowMs)
    assert.deepEqual(inAnyOrder(actions), inAnyOrder(this.#twin.handle(made, this.nowMs)))
    const keyOf = (message: string): string => message.slice(0, message.indexOf('/'))
    this.#ledger.note(made, actions, keyOf, wasKnown, this.nowMs)
    this.#compareAccessors()
    for (const action of actions) {
      if (action.type === 'ask') this.#calls.push({ type: 'verdict', key: action.key, call: action.call })
      if (action.type === 'askQuick') this.#calls.push({ type: 'quick', key: action.key, call: action.call })
    }
    return actions
  }

  /** However the handler behaved: after some timeouts nothing is pending, nothing waits, and new messages are asked. */
  proveAlive(rounds: number): void {
    for (let round = 0; round < rounds; round++) {
      this.nowMs += TIMEOUT_MS
      this.play({ type: 'tick' })
    }
    assert.deepEqual([this.#ledger.pending, this.#gate.queuedCount], [0, 0])
    const first = this.play({ type: 'message', key: 'z', from: 'p', sizeBytes: 1, way: 'gossip' })
    const last =
      first[0]?.type === 'askQuick'
        ? this.play({ type: 'answer', back: 0, verdict: 'accept', wrong: 'nothing' })
        : first
    assert.ok(
      last.some(action => action.type === 'ask' && action.key === 'z'),
      'the topic stands still',
    )
  }

  #eventOf(random: Exclude<Random, { type: 'elsewhere' | 'crowd' }>): GateEvent<string> | undefined {
    if (random.type === 'message') {
      const { way, ...copy } = random
      const message = `${random.key}/${random.from}/${this.#tickets++}`
      const ticket = way === 'gossip' ? message : undefined
      return { ...copy, ticket, message, isVouched: way === 'vouched' }
    }
    if (random.type !== 'answer') return random
    const answered = this.#calls.at(-1 - random.back)
    if (answered === undefined) return undefined
    const { verdict, wrong } = random
    const type = wrong === 'kind' ? (answered.type === 'quick' ? 'verdict' : 'quick') : answered.type
    const call = wrong === 'call' ? answered.call + 1 : answered.call
    const key = wrong === 'key' ? (KEYS.find(other => other !== answered.key) ?? '') : answered.key
    return { type, key, call, verdict, reason: type === 'quick' ? 'quick' : 'handler' }
  }

  #compareAccessors(): void {
    assert.equal(this.#gate.queuedCount, this.#twin.queuedCount)
    for (const key of KEYS)
      assert.equal(this.#gate.knows(key, this.nowMs), this.#twin.knows(key, this.nowMs), key)
  }
}

/** The order of actions of one event is not promised, but for that of calls, and those carry their number. */
function inAnyOrder(actions: readonly GateAction<string>[]): string[] {
  return actions.map(action => JSON.stringify(Object.entries(action).toSorted())).toSorted()
}

const roomy = {
  verdictTimeoutMs: TIMEOUT_MS,
  concurrency: 2,
  queueMaxMessages: 3,
  queueMaxBytes: 10_000,
  isQuick: false,
}
const variants: { id: string; options: GateOptions }[] = [
  { id: 'two calls, three in the queue', options: roomy },
  {
    id: 'one call, bytes bounded',
    options: { ...roomy, concurrency: 1, queueMaxMessages: 100, queueMaxBytes: 100 },
  },
  { id: 'one call, one in the queue', options: { ...roomy, concurrency: 1, queueMaxMessages: 1 } },
  { id: 'a call for each message', options: { ...roomy, concurrency: 6 } },
  { id: 'quick, two calls', options: { ...roomy, isQuick: true } },
  {
    id: 'quick, one call, bytes bounded',
    options: { ...roomy, concurrency: 1, queueMaxMessages: 4, queueMaxBytes: 100, isQuick: true },
  },
]

describe('the gate beside its twin', () => {
  /** What happened in any run, so that a run in which nothing happens is noticed. */
  const happened = new Set<string>()

  for (const { id, options } of variants) {
    it(`agrees and keeps its promises: ${id}`, () => {
      forRandomEvents(event, { runs: 100, most: 300 }, events => {
        const pair = new Pair(options)
        for (const { waitMs, what: random } of events) {
          pair.nowMs += waitMs
          for (const action of pair.play(random)) happened.add(kindOf(action))
        }
        pair.proveAlive(10)
      })
    })
  }

  it('has met everything that can happen', () => {
    assert.deepEqual([...happened].toSorted(), [
      'ask',
      'askQuick',
      'blame',
      'judged accept handler',
      'judged accept handler late',
      'judged ignore handler',
      'judged ignore handler late',
      'judged ignore overflow',
      'judged ignore overflow late',
      'judged ignore quick',
      'judged ignore timeout',
      'judged ignore timeout late',
      'judged reject handler',
      'judged reject handler late',
      'judged reject quick',
      'overdue',
      'settle accept',
      'settle ignore',
      'settle reject',
      'settled accept',
      'settled ignore',
      'settled reject',
    ])
  })
})

function kindOf(action: GateAction<string>): string {
  if (action.type === 'settle' || action.type === 'settled') return `${action.type} ${action.verdict}`
  if (action.type !== 'judged') return action.type
  return `judged ${action.verdict} ${action.reason}${action.late ? ' late' : ''}`
}
