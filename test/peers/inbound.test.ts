import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { blake2b64 } from '../../src/peers/book-placement.ts'
import { Inbound, type InboundEvent, type InboundOptions } from '../../src/peers/inbound.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { InboundTwin } from './inbound-twin.ts'

const OPTIONS: InboundOptions = { inboundMax: 4, interop: true, groupRules: 'all', key: 'secret' }

/** Peers come from groups of their own: `1` from 60.1, `2` from 60.2, …; `1b` from 60.1 too. */
const connected = (
  peer: string,
  said: { isManual?: boolean; isDiscouraged?: boolean } = {},
): InboundEvent => ({
  type: 'connected',
  peer,
  ip: `60.${Number.parseInt(peer, 10)}.0.1`,
  isManual: false,
  isDiscouraged: false,
  ...said,
})
const rtt = (peer: string, ms: number): InboundEvent => ({ type: 'rtt', peer, ms })
const fresh = (peer: string, sizeBytes: number): InboundEvent => ({ type: 'fresh', peer, sizeBytes })
const plain = (peer: string): InboundEvent => ({ type: 'plain', peer })
const greeted = (peer: string): InboundEvent => ({ type: 'greeted', peer })
const closed = (peer: string): InboundEvent => ({ type: 'closed', peer })

const from = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, index) => String(first + index))

/** An event, and who must go thereupon, as `peer reason`. */
type Step = [event: InboundEvent, ...drops: string[]]

const full: Step[] = from(1, 4).map(peer => [connected(peer)])

const cases: { id: string; options?: Partial<InboundOptions>; steps: Step[] }[] = [
  { id: 'takes as many as there are places', steps: [...full, [closed('2')], [connected('5')]] },
  {
    id: 'one more takes the place of the youngest',
    steps: [...full, [connected('5'), '4 evicted'], [connected('6'), '5 evicted']],
  },
  {
    id: 'a peer that must go holds no place while it closes',
    steps: [...full, [connected('5'), '4 evicted'], [closed('4')], [connected('6'), '5 evicted']],
  },
  {
    id: 'a newcomer of a group that holds as much as the others is refused',
    steps: [...full, [connected('1b'), '1b full'], [closed('1b')], [connected('5'), '4 evicted']],
  },
  {
    id: 'the largest group loses its youngest',
    steps: [...full, [closed('1')], [connected('3b')], [connected('5'), '3b evicted']],
  },
  {
    id: 'a discouraged peer goes first, unless it is among the older half',
    steps: [
      [connected('1', { isDiscouraged: true })],
      [connected('2')],
      [connected('3', { isDiscouraged: true })],
      [connected('4')],
      [connected('5'), '3 evicted'],
      [connected('6'), '5 evicted'],
    ],
  },
  {
    id: 'a discouraged newcomer is refused when all places are taken',
    steps: [
      ...full,
      [connected('5', { isDiscouraged: true }), '5 discouraged'],
      [connected('6'), '4 evicted'],
    ],
  },
  {
    id: 'what is said again of a peer replaces what was said',
    steps: [...full, [connected('3', { isDiscouraged: true })], [connected('5'), '3 evicted']],
  },
  {
    id: 'a manual peer takes no place, is not evicted and not refused',
    steps: [
      [connected('9', { isManual: true })],
      ...full,
      [connected('8', { isManual: true, isDiscouraged: true })],
      [connected('5'), '4 evicted'],
      [plain('9')],
      [plain('8')],
    ],
  },
  {
    id: 'a manual peer that becomes one as any other needs a place',
    steps: [...full, [connected('9', { isManual: true })], [connected('9'), '4 evicted']],
  },
  {
    id: 'a peer that becomes manual frees its place',
    steps: [...full, [connected('4', { isManual: true })], [connected('5')], [connected('6'), '5 evicted']],
  },
  {
    id: 'without places everyone is refused',
    options: { inboundMax: 0 },
    steps: [[connected('1'), '1 full'], [connected('2', { isManual: true })]],
  },
  {
    id: 'the nearest peer of eight stays, by its shortest round trip',
    options: { inboundMax: 8 },
    steps: [
      ...from(1, 8).map((peer): Step => [connected(peer)]),
      [rtt('7', 50)],
      [rtt('8', 20)],
      [rtt('8', 900)],
      [connected('9'), '7 evicted'],
    ],
  },
  {
    id: 'plain peers hold a quarter of the places; one more takes that of the youngest of them',
    options: { inboundMax: 8 },
    steps: [
      ...from(1, 6).map((peer): Step => [connected(peer)]),
      [plain('4')],
      [plain('2')],
      [plain('6'), '4 plain'],
      [plain('2')],
      [connected('7')],
      [plain('7'), '6 plain'],
    ],
  },
  {
    id: 'a peer that shakes hands after all is not plain',
    options: { inboundMax: 8 },
    steps: [
      ...from(1, 6).map((peer): Step => [connected(peer)]),
      [plain('1')],
      [plain('2')],
      [greeted('1')],
      [plain('3')],
      [plain('4'), '3 plain'],
    ],
  },
  {
    id: 'a discouraged plain peer is refused when the places of its kind are taken',
    options: { inboundMax: 8 },
    steps: [
      [connected('1')],
      [connected('2')],
      [connected('3', { isDiscouraged: true })],
      [plain('1')],
      [plain('2')],
      [plain('3'), '3 plain'],
    ],
  },
  {
    id: 'without interop plain peers are refused, manual ones are not',
    options: { interop: false },
    steps: [[connected('1')], [connected('2', { isManual: true })], [plain('2')], [plain('1'), '1 plain']],
  },
  {
    id: 'with fewer than four places there is none for plain peers',
    options: { inboundMax: 3 },
    steps: [[connected('1')], [plain('1'), '1 plain']],
  },
  {
    id: 'a plain peer that was manual needs one of the places for its kind',
    steps: [
      [connected('1')],
      [connected('2', { isManual: true })],
      [plain('1')],
      [plain('2')],
      [connected('2'), '1 plain'],
    ],
  },
  {
    id: 'what happens to peers without a place does not matter',
    steps: [[rtt('7', 1)], [fresh('7', 1)], [plain('7')], [greeted('7')], [closed('7')], [connected('7')]],
  },
  {
    id: 'without groups the youngest goes, whatever its address',
    options: { groupRules: 'routable' },
    steps: [
      ...from(1, 5).map((peer): Step => {
        const event: InboundEvent = {
          type: 'connected',
          peer,
          ip: '10.0.0.1',
          isManual: false,
          isDiscouraged: false,
        }
        return peer === '5' ? [event, '4 evicted'] : [event]
      }),
    ],
  },
]

describe('inbound places', () => {
  for (const { id, options, steps } of cases) {
    it(id, () => {
      const inbound = new Inbound({ ...OPTIONS, ...options })
      for (const [index, [event, ...drops]] of steps.entries()) {
        const actions = inbound.handle(event, index)
        assert.deepEqual(
          actions.map(({ peer, reason }) => `${peer} ${reason}`),
          drops,
          `step ${index}: ${event.type} ${event.peer}`,
        )
        inbound.check()
      }
    })
  }
})

describe('an inbound place', () => {
  /** How much peer 27 gave just now, and who goes. Peer 30 gave 500 bytes ten minutes ago: more than 240, less than 260. */
  for (const [bytes, victim] of [
    [240, '29'],
    [260, '30'],
  ] as const) {
    it(`is kept by giving most new bytes of late, of which half count after ten minutes: 250 or ${bytes}`, () => {
      // All of one group, so that the secret key decides nothing. Of 32, two are protected by what they gave last, and two
      // by how much it was.
      const inbound = new Inbound({ ...OPTIONS, inboundMax: 32 })
      for (const peer of from(1, 32))
        inbound.handle({ ...connected(peer), ip: '60.1.0.1' } as InboundEvent, 0)
      for (const event of [fresh('30', 100), fresh('30', 400)]) inbound.handle(event, 0)
      for (const event of [fresh('28', 300), fresh('27', bytes)]) inbound.handle(event, 600_000)
      for (const event of [fresh('31', 1), fresh('32', 1)]) inbound.handle(event, 600_001)
      assert.deepEqual(inbound.handle(connected('33'), 600_001), [
        { type: 'drop', peer: victim, reason: 'evicted' },
      ])
    })
  }
})

describe('the key of inbound places', () => {
  /** Who goes of 16 peers when one more comes: one is protected by its rank under the key, and the older half is. */
  function victimUnder(
    key: string,
    groupRules: 'all' | 'routable',
    ipOf: (peer: string) => string,
  ): string | undefined {
    const inbound = new Inbound({ ...OPTIONS, inboundMax: 16, groupRules, key })
    const connect = (peer: string) =>
      inbound.handle({ ...connected(peer), ip: ipOf(peer) } as InboundEvent, 0)
    for (const peer of from(1, 16)) connect(peer)
    return connect('17')[0]?.peer
  }

  for (const { id, groupRules, ipOf } of [
    { id: 'network group', groupRules: 'all', ipOf: (peer: string) => `60.${peer}.0.1` },
    { id: 'peer where there are no groups', groupRules: 'routable', ipOf: () => '10.0.0.1' },
  ] as const) {
    it(`decides which ${id} is protected, and nothing else does`, () => {
      const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`)
      const victims = keys.map(key => victimUnder(key, groupRules, ipOf))
      assert.deepEqual(
        keys.map(key => victimUnder(key, groupRules, ipOf)),
        victims,
      )
      // The youngest, or the one before it when the youngest is the one that is protected.
      assert.deepEqual(new Set(victims), new Set(['16', '15']))
    })
  }
})

describe('inbound places beside their twin', () => {
  const peer = fc.integer({ min: 0, max: 59 }).map(number => `p${number}`)
  const event = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        type: fc.constant('connected' as const),
        peer,
        ip: fc.constantFrom('8.1.0.1', '8.2.0.1', '8.3.0.1', '8.4.0.1', '8.5.0.1', '8.6.0.1', '10.0.0.1'),
        isManual: fc.constantFrom(false, false, false, false, false, true),
        isDiscouraged: fc.constantFrom(false, false, false, true),
      }),
    },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('rtt' as const), peer, ms: fc.nat(300) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('fresh' as const),
        peer,
        sizeBytes: fc.integer({ min: 1, max: 1_000_003 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('plain' as const), peer }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('greeted' as const), peer }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('closed' as const), peer }) },
  )
  const timed = fc.record({ waitMs: fc.constantFrom(0, 7, 1_013, 61_027), event })

  for (const options of [
    { ...OPTIONS, inboundMax: 20 },
    { ...OPTIONS, inboundMax: 33, groupRules: 'routable' as const, interop: false },
  ]) {
    it(`agree with ${options.inboundMax} places, and drop exactly one for each newcomer that is too many`, () => {
      const rankOf = (text: string): number =>
        Number(`0x${Buffer.from(blake2b64(Buffer.from(`${options.key}/${text}`))).toString('hex', 0, 6)}`)
      forRandomEvents(timed, { runs: 30, most: 200 }, events => {
        const inbound = new Inbound(options)
        const twin = new InboundTwin(options, rankOf)
        let nowMs = 0
        for (const { waitMs, event } of events) {
          nowMs += waitMs
          const isNew = event.type === 'connected' && !twin.has(event.peer)
          const isFull = twin.taken.length === options.inboundMax
          const drops = inbound.handle(event, nowMs).map(action => `${action.peer} ${action.reason}`)
          assert.deepEqual(drops, twin.handle(event, nowMs))
          inbound.check()
          assert.equal(inbound.taken, twin.taken.length)
          if (isNew) assert.equal(drops.length, isFull && !event.isManual ? 1 : 0)
        }
      })
    })
  }
})
