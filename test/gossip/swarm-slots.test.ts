/**
 * Which announced swarms may begin: what the rules say one by one, the attacks they answer, and beside a naive twin.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { MessageId } from '../../src/core/types.ts'
import {
  SWARM_SLOTS,
  type SwarmOffer,
  SwarmSlots,
  type SwarmSlotsOptions,
} from '../../src/gossip/swarm-slots.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { SwarmSlotsTwin } from './swarm-slots-twin.ts'

interface Named {
  readonly key: string
  readonly from: string
  readonly origin?: string
  readonly header?: number
  readonly id?: number
  readonly sizeBytes?: number
  readonly topic?: string
}

/** @param header 0 is none */
function offerOf({
  key,
  from,
  origin = from,
  header = 0,
  id = 1,
  sizeBytes = 1,
  topic = 't',
}: Named): SwarmOffer<string> {
  const head = {
    id: new Uint8Array(20).fill(id) as MessageId,
    sizeBytes,
    chunkBytes: 1_024,
    root: new Uint8Array(20),
    header: header === 0 ? new Uint8Array(0) : Uint8Array.of(header),
    origin,
    signature: new Uint8Array(0),
  }
  return { key, topic, head, from, value: `value of ${key}` }
}

type Step =
  | (Named & { readonly gives: string })
  | { readonly complete: string }
  | { readonly accepted: string; readonly over?: string[]; readonly begin?: string[] }
  | { readonly ended: string; readonly begin?: string[] }
  | { readonly rivals: string; readonly is: boolean }

const A = { from: 'a', header: 1 }
const B = { from: 'b', header: 1 }
const C = { from: 'c', header: 1 }

const cases: { id: string; options?: Partial<SwarmSlotsOptions>; steps: Step[] }[] = [
  {
    id: 'a key begins once, also when it is over',
    steps: [
      { key: 'k', from: 'a', gives: 'begin' },
      { key: 'k', from: 'b', gives: 'known' },
      { ended: 'k' },
      { key: 'k', from: 'b', gives: 'known' },
    ],
  },
  {
    id: 'a sender has so many places, and a place again when one is whole or over',
    options: { perSenderMax: 2 },
    steps: [
      { key: 'k', from: 'a', origin: 'x', gives: 'begin' },
      { key: 'l', from: 'a', origin: 'y', gives: 'begin' },
      { key: 'm', from: 'a', origin: 'z', gives: 'refused sender' },
      { key: 'm', from: 'b', origin: 'z', gives: 'begin' },
      { complete: 'k' },
      { key: 'n', from: 'a', origin: 'z', gives: 'begin' },
      { key: 'o', from: 'a', origin: 'z', gives: 'refused sender' },
      { ended: 'l' },
      { key: 'o', from: 'a', origin: 'z', gives: 'begin' },
    ],
  },
  {
    id: 'an origin has so many places, whoever announces',
    options: { perOriginMax: 1 },
    steps: [
      { key: 'k', from: 'a', origin: 'x', gives: 'begin' },
      { key: 'l', from: 'b', origin: 'x', gives: 'refused origin' },
      { key: 'l', from: 'b', origin: 'y', gives: 'begin' },
    ],
  },
  {
    id: 'places and bytes are bounded for all',
    options: { unfinishedMax: 2, bytesMax: 100 },
    steps: [
      { key: 'k', from: 'a', sizeBytes: 101, gives: 'refused bytes' },
      { key: 'l', from: 'a', sizeBytes: 60, gives: 'begin' },
      { key: 'm', from: 'b', sizeBytes: 41, gives: 'refused bytes' },
      { key: 'm', from: 'b', sizeBytes: 40, gives: 'begin' },
      { key: 'n', from: 'c', sizeBytes: 0, gives: 'refused room' },
    ],
  },
  {
    id: 'two of a header run, of different senders and origins; the others wait',
    steps: [
      { key: 'k', ...A, gives: 'begin' },
      { key: 'l', ...A, origin: 'y', gives: 'parked' },
      { key: 'm', ...B, origin: 'a', gives: 'parked' },
      { key: 'n', ...B, gives: 'begin' },
      { key: 'o', ...C, gives: 'parked' },
      { key: 'o', ...C, gives: 'known' },
      { key: 'p', ...C, topic: 'u', gives: 'begin' },
      { key: 'q', ...C, header: 2, gives: 'begin' },
      { rivals: 'k', is: true },
      { ended: 'k', begin: ['o'] },
    ],
  },
  {
    id: 'those who have had fewer turns go first, then the oldest',
    steps: [
      { key: 'a1', ...A, gives: 'begin' },
      { key: 'a2', ...A, gives: 'parked' },
      { key: 'a3', ...A, gives: 'parked' },
      { key: 'b1', ...B, gives: 'begin' },
      { key: 'c1', ...C, gives: 'parked' },
      { ended: 'a1', begin: ['c1'] },
      { ended: 'c1', begin: ['a2'] },
    ],
  },
  {
    id: 'what is whole holds the place of its header until its verdict',
    steps: [
      { key: 'k', ...A, gives: 'begin' },
      { key: 'l', ...B, gives: 'begin' },
      { complete: 'k' },
      { key: 'm', ...C, id: 2, gives: 'parked' },
      { ended: 'k', begin: ['m'] },
    ],
  },
  {
    id: 'once a message is accepted all others of its id are over, and those of another id have their turn',
    steps: [
      { key: 'k', ...A, gives: 'begin' },
      { key: 'l', ...B, gives: 'begin' },
      { key: 'm', ...C, gives: 'parked' },
      { key: 'n', from: 'd', header: 1, id: 2, gives: 'parked' },
      { key: 'o', from: 'd', header: 3, gives: 'begin' },
      { complete: 'k' },
      { accepted: 'k', over: ['l', 'o'], begin: ['n'] },
      { key: 'm', ...C, gives: 'known' },
      { key: 'l', ...C, gives: 'known' },
    ],
  },
  {
    id: 'what is parked is bounded for a sender, which loses its oldest; it may come again',
    options: { parkedPerSenderMax: 1 },
    steps: [
      { key: 'k', ...A, gives: 'begin' },
      { key: 'l', ...A, gives: 'parked' },
      { key: 'm', ...A, gives: 'parked' },
      { key: 'l', ...A, gives: 'parked' },
      { rivals: 'k', is: true },
      { ended: 'k', begin: ['l'] },
      { rivals: 'l', is: false },
    ],
  },
  {
    id: 'what is parked is bounded for all, and the one with most loses its oldest',
    options: { parkedMax: 2 },
    steps: [
      { key: 'k', ...A, gives: 'begin' },
      { key: 'l', ...B, gives: 'begin' },
      { key: 'c1', ...C, gives: 'parked' },
      { key: 'a1', ...A, gives: 'parked' },
      { key: 'a2', ...A, gives: 'parked' },
      { ended: 'k', begin: ['c1'] },
      { ended: 'l', begin: ['a2'] },
    ],
  },
  {
    id: 'what is parked waits for places of its own, and nobody waits for an empty header',
    options: { unfinishedMax: 1 },
    steps: [
      { key: 'k', ...A, gives: 'begin' },
      { key: 'l', ...A, gives: 'parked' },
      { key: 'm', ...B, gives: 'refused room' },
      { complete: 'k' },
      { key: 'n', from: 'c', gives: 'begin' },
      { ended: 'k' },
      { rivals: 'n', is: false },
      { ended: 'n', begin: ['l'] },
    ],
  },
  {
    id: 'what is unknown is nothing',
    steps: [{ complete: 'x' }, { accepted: 'x' }, { rivals: 'x', is: false }, { ended: 'x' }],
  },
]

const keysOf = (offers: readonly SwarmOffer<string>[]): string[] => offers.map(({ key }) => key)

describe('the slots of swarms', () => {
  for (const { id, options, steps } of cases) {
    it(id, () => {
      const slots = new SwarmSlots<string>({ ...SWARM_SLOTS, ...options })
      for (const step of steps) {
        if ('key' in step) {
          const admission = slots.offer(offerOf(step), 0)
          assert.equal(Object.values(admission).join(' '), step.gives, step.key)
        } else if ('complete' in step) slots.complete(step.complete)
        else if ('ended' in step) assert.deepEqual(keysOf(slots.ended(step.ended, 0)), step.begin ?? [])
        else if ('rivals' in step) assert.equal(slots.stalledWithRivals(step.rivals), step.is)
        else {
          const { over, begin } = slots.accepted(step.accepted, 0)
          assert.deepEqual([over, keysOf(begin)], [step.over ?? [], step.begin ?? []])
        }
        slots.check()
      }
    })
  }

  it('take little for ten thousand announcements of one peer, and leave room for others', () => {
    const slots = new SwarmSlots<string>()
    for (let index = 0; index < 10_000; index++) {
      const origin = `o${index}`
      slots.offer(
        offerOf({ key: `k${index}`, from: 'bad', origin, header: (index % 255) + 1, sizeBytes: 2 ** 20 }),
        0,
      )
    }
    slots.check()
    assert.deepEqual([slots.unfinishedCount, slots.parkedCount <= SWARM_SLOTS.parkedMax], [8, true])
    assert.equal(slots.offer(offerOf({ key: 'honest', from: 'good', sizeBytes: 2 ** 20 }), 0).type, 'begin')
  })

  it('let the true one under a header of a thousand false ones begin soon', () => {
    const slots = new SwarmSlots<string>()
    const running: string[] = []
    for (let index = 0; index < 1_000; index++) {
      const offer = offerOf({ key: `k${index}`, from: `bad${index % 8}`, origin: `o${index}`, header: 1 })
      if (slots.offer(offer, 0).type === 'begin') running.push(offer.key)
    }
    assert.deepEqual([running.length, slots.parkedCount], [2, 32])
    assert.equal(slots.offer(offerOf({ key: 'true', from: 'good', header: 1 }), 0).type, 'parked')
    let rounds = 0
    for (; !running.includes('true'); rounds++) {
      const key = running.shift() ?? ''
      assert.ok(slots.stalledWithRivals(key))
      running.push(...keysOf(slots.ended(key, 0)))
    }
    assert.ok(rounds <= 8, `${rounds} rounds`)
  })

  it('forget keys that are over after a while', () => {
    const slots = new SwarmSlots<string>({ ...SWARM_SLOTS, endedTtlMs: 100 })
    slots.ended('k', 0)
    assert.equal(slots.offer(offerOf({ key: 'k', from: 'a' }), 99).type, 'known')
    assert.equal(slots.offer(offerOf({ key: 'k', from: 'a' }), 200).type, 'begin')
  })
})

const KEYS = Array.from({ length: 24 }, (_, index) => `k${index}`)
const key = fc.constantFrom(...KEYS)
const event = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('offer' as const),
      key,
      from: fc.constantFrom('a', 'b', 'c'),
      origin: fc.constantFrom('x', 'y', 'z'),
      header: fc.constantFrom(0, 1, 1, 1, 2),
      id: fc.constantFrom(1, 2, 3),
      sizeBytes: fc.constantFrom(1, 10, 40, 101),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('complete', 'accepted', 'ended'), key }) },
)

describe('the slots beside their twin', () => {
  const small = {
    ...SWARM_SLOTS,
    unfinishedMax: 4,
    perSenderMax: 3,
    perOriginMax: 3,
    bytesMax: 100,
    parkedMax: 4,
  }
  const variants: { id: string; options: SwarmSlotsOptions }[] = [
    { id: 'as they are', options: SWARM_SLOTS },
    { id: 'small', options: { ...small, parkedPerSenderMax: 2 } },
    { id: 'one of a header', options: { ...small, perHeaderMax: 1, parkedPerSenderMax: 1 } },
  ]
  const happened = new Set<string>()
  for (const { id, options } of variants) {
    it(`agree: ${id}`, () => {
      forRandomEvents(event, { runs: 100, most: 120 }, events => {
        const slots = new SwarmSlots<string>(options)
        const twin = new SwarmSlotsTwin(options)
        /** Keys get a new name with each life, or all would soon be over. */
        const lives = new Map<string, number>()
        for (const made of events) {
          const name = `${made.key}/${lives.get(made.key) ?? 0}`
          if (made.type === 'offer' && 'from' in made) {
            const offer = offerOf({ ...made, key: name })
            const admission = slots.offer(offer, 0)
            assert.deepEqual(admission, twin.offer(offer))
            happened.add(Object.values(admission).join(' '))
          } else if (made.type === 'complete') {
            slots.complete(name)
            twin.complete(name)
          } else if (made.type === 'accepted') {
            const accepted = slots.accepted(name, 0)
            assert.deepEqual(accepted, twin.accepted(name))
            if (accepted.over.length > 0) happened.add('over')
            if (accepted.begin.length > 0) happened.add('begin by accepted')
          } else {
            const begun = slots.ended(name, 0)
            assert.deepEqual(begun, twin.ended(name))
            if (begun.length > 0) happened.add('begin by ended')
            lives.set(made.key, (lives.get(made.key) ?? 0) + 1)
          }
          slots.check()
          assert.deepEqual(
            [slots.unfinishedCount, slots.parkedCount],
            [twin.unfinished.length, twin.parked.length],
          )
          for (const one of KEYS) {
            const alive = `${one}/${lives.get(one) ?? 0}`
            assert.equal(slots.stalledWithRivals(alive), twin.stalledWithRivals(alive))
          }
        }
      })
    })
  }

  it('have met everything that can happen', () => {
    assert.deepEqual([...happened].toSorted(), [
      'begin',
      'begin by accepted',
      'begin by ended',
      'known',
      'over',
      'parked',
      'refused bytes',
      'refused origin',
      'refused room',
      'refused sender',
    ])
  })
})
