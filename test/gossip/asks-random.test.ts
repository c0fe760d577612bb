/**
 * The asking side under random events and the eyes of a book-keeper (`asks-ledger.ts`). Few messages and few peers, so
 * that things collide. One of the peers is honest: it claims true sizes and answers every ask in time.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { MessageKey, PeerId, Verdict } from '../../src/core/types.ts'
import { Asks, type AsksAction, type AsksEvent, type Standing } from '../../src/gossip/asks.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { AsksLedger } from './asks-ledger.ts'
import { itemOf, MAX_PAYLOAD_BYTES, SETTLE_MS } from './asks-script.ts'

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'] as const
const HONEST = 'honest'
const PEERS = ['p', 'q', 'r', HONEST] as const
const HONEST_MS = 450

/** One message is larger than it may be. */
const sizeOf = (key: MessageKey): number => (key.startsWith('f') ? MAX_PAYLOAD_BYTES + 1 : 10)

type Random =
  | { type: 'announced' | 'offered' | 'echoed' | 'wanted'; from: PeerId; names: string[]; lie: number }
  | { type: 'payload' | 'lacked' | 'answer'; from: PeerId; names: string[] }
  /** The verdict on one that waits for it; `isLost`: it was dropped without one, and is new again. */
  | { type: 'verdict'; name: string; verdict: Verdict; isLost: boolean }
  /** It comes by gossip itself, or is forgotten. */
  | { type: 'flood' | 'forget'; name: string }
  | { type: 'gone'; peer: PeerId }
  | { type: 'tick' }

const from = fc.constantFrom(...PEERS)
const names = fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 })
const name = fc.constantFrom(...NAMES)
const verdict = fc.constantFrom<Verdict>('accept', 'accept', 'ignore', 'reject')
const lie = fc.constantFrom(0, 0, 0, 0, 0, 1)
const peers = fc.constantFrom<'announced' | 'offered' | 'echoed' | 'wanted'>(
  'announced',
  'announced',
  'offered',
  'echoed',
  'wanted',
)

const what: fc.Arbitrary<Random> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ type: peers, from, names, lie }) },
  { weight: 30, arbitrary: fc.record({ type: fc.constant('answer' as const), from, names }) },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constantFrom('payload' as const, 'lacked' as const), from, names }),
  },
  {
    weight: 30,
    arbitrary: fc.record({
      type: fc.constant('verdict' as const),
      name,
      verdict,
      isLost: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constantFrom('flood' as const, 'forget' as const, 'forget' as const),
      name,
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('gone' as const), peer: from }) },
  { weight: 30, arbitrary: fc.record({ type: fc.constant('tick' as const) }) },
)

const event = fc.record({
  waitMs: fc.constantFrom(0, 0, 1, 20, 100, 250, 500, 1_000),
  what,
})

class World {
  nowMs = 0
  readonly #ledger = new AsksLedger(sizeOf, HONEST)
  readonly #asks = new Asks({
    maxPayloadBytes: MAX_PAYLOAD_BYTES,
    settleMs: SETTLE_MS,
    standingOf: key => this.#standingOf(key),
    sizeOf: key => (this.#standingOf(key) === 'accepted' ? sizeOf(key) : undefined),
  })
  /** Asks that the peers have not answered, with the time of each. */
  readonly #open = new Map<PeerId, { key: MessageKey; atMs: number }[]>(PEERS.map(peer => [peer, []]))
  readonly #happened: Set<string>
  #tickets = 0

  constructor(happened: Set<string>) {
    this.#happened = happened
  }

  /** Time passes, and the honest peer answers in it. */
  wait(waitMs: number): void {
    const untilMs = this.nowMs + waitMs
    const open = this.#open.get(HONEST) ?? []
    for (let first = open[0]; first !== undefined && first.atMs + HONEST_MS <= untilMs; first = open[0]) {
      this.nowMs = Math.max(this.nowMs, first.atMs + HONEST_MS)
      this.#answer(HONEST, first.key)
    }
    this.nowMs = untilMs
  }

  play(random: Random): void {
    switch (random.type) {
      case 'announced':
      case 'offered':
        return this.#announce(random)
      case 'echoed':
        return this.#feed({ type: 'echoed', from: random.from, items: this.#items(random) })
      case 'wanted':
        return this.#feed({
          type: 'wanted',
          from: random.from,
          keys: this.#items(random).map(({ key }) => key),
        })
      case 'answer': {
        const open = this.#open.get(random.from)?.[0]
        return open === undefined ? undefined : this.#answer(random.from, open.key)
      }
      case 'payload':
      case 'lacked':
        return this.#misbehave(random)
      case 'verdict':
        return this.#judge(random)
      case 'flood':
      case 'forget':
        return this.#change(random.type, itemOf(random.name).key)
      case 'gone':
        this.#open.set(random.peer, [])
        return this.#feed(random)
      case 'tick':
        return this.#feed(random)
    }
  }

  /** Whatever waits is settled, and nothing is left. */
  close(): void {
    this.#feed({ type: 'close' })
    assert.deepEqual([this.#ledger.unsettled, this.#asks.itemCount, this.#asks.peerCount], [0, 0, 0])
  }

  /** Everybody goes, and whatever is with the gate is judged: nothing is left. */
  end(): void {
    for (const peer of PEERS) this.play({ type: 'gone', peer })
    for (const name of NAMES) this.play({ type: 'verdict', name, verdict: 'accept', isLost: false })
    this.nowMs += SETTLE_MS
    this.play({ type: 'tick' })
    assert.deepEqual([this.#asks.itemCount, this.#asks.peerCount], [0, 0])
    assert.equal(this.#ledger.unsettled, 0)
    assert.deepEqual(this.#ledger.uncarried, [])
  }

  #standingOf(key: MessageKey): Standing {
    return this.#ledger.standings.get(key) ?? 'new'
  }

  /** The honest peer has only what a node may have. */
  #items({ from, names, lie }: { from: PeerId; names: string[]; lie: number }) {
    const allowed = from === HONEST ? names.filter(text => text !== 'f') : names
    return allowed.map(text => {
      const { key, id } = itemOf(text)
      return { key, id, sizeBytes: sizeOf(key) - (from === HONEST ? 0 : lie) }
    })
  }

  #announce(random: Extract<Random, { names: string[]; lie: number }>): void {
    const items = this.#items(random)
    if (items.length === 0) return
    const ticket = random.type === 'offered' ? undefined : `t${this.#tickets++}`
    this.#feed({ type: 'announced', from: random.from, items, ticket })
  }

  #answer(peer: PeerId, key: MessageKey): void {
    const open = this.#open.get(peer) ?? []
    open.splice(
      open.findIndex(ask => ask.key === key),
      1,
    )
    this.#send(peer, key)
  }

  #send(peer: PeerId, key: MessageKey): void {
    const payload = new Uint8Array(sizeOf(key))
    const id = itemOf(key).id
    this.#feed({ type: 'payload', from: peer, key, id, payload })
  }

  #misbehave({ type, from, names }: Extract<Random, { type: 'payload' | 'lacked' | 'answer' }>): void {
    if (from === HONEST) return
    const keys = names.map(text => itemOf(text).key)
    if (type === 'lacked') this.#feed({ type, from, keys })
    else for (const key of keys) this.#send(from, key)
  }

  #judge({ name, verdict, isLost }: Extract<Random, { type: 'verdict' }>): void {
    const { key } = itemOf(name)
    if (this.#standingOf(key) !== 'judging') return
    const standing = verdict === 'accept' ? 'accepted' : isLost && verdict === 'ignore' ? 'new' : 'over'
    this.#ledger.standings.set(key, standing)
    this.#feed({ type: 'settled', key, sizeBytes: sizeOf(key), verdict })
  }

  /** Only what is decided is forgotten, and only what is new comes. What is too large never gets to the gate. */
  #change(type: 'flood' | 'forget', key: MessageKey): void {
    const standing = this.#standingOf(key)
    if (type === 'flood' && standing === 'new' && sizeOf(key) <= MAX_PAYLOAD_BYTES)
      this.#ledger.standings.set(key, 'judging')
    if (type === 'forget' && standing === 'over') this.#ledger.standings.set(key, 'new')
  }

  #feed(event: AsksEvent): void {
    const actions = this.#asks.handle(event, this.nowMs)
    this.#asks.check()
    this.#ledger.note(event, actions, this.nowMs)
    for (const action of actions) this.#carryOut(action)
  }

  #carryOut(action: AsksAction): void {
    this.#happened.add(kindOf(action))
    if (action.type === 'deliver') this.#ledger.standings.set(action.key, 'judging')
    if (action.type !== 'ask') return
    const open = this.#open.get(action.peer)
    for (const key of action.keys) open?.push({ key, atMs: this.nowMs })
  }
}

function kindOf(action: AsksAction): string {
  if (action.type === 'settle') return `settle ${action.verdict}`
  return action.type === 'offence' ? action.offence : action.type
}

describe('the asking side under random events', () => {
  const happened = new Set<string>()

  it('keeps its promises, and leaves nothing behind', () => {
    forRandomEvents(event, { runs: 300, most: 300 }, events => {
      const world = new World(happened)
      for (const { waitMs, what: random } of events) {
        world.wait(waitMs)
        world.play(random)
      }
      if (events.length % 4 === 0) world.close()
      else world.end()
    })
  })

  it('has met everything that can happen', () => {
    assert.deepEqual([...happened].toSorted(), [
      'announce',
      'ask',
      'ask-lacked',
      'ask-size',
      'ask-unwanted',
      'deliver',
      'settle accept',
      'settle ignore',
      'timeout',
    ])
  })
})
