import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DELAY_MS, PAUSE_MS, PROBES_MAX, Probes, type ProbesEvent } from '../../src/peers/probes.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'

const GROUP = '4:60.1'

const claimed = (peer: string, endpoint = `${peer}:1`): ProbesEvent => ({
  type: 'claimed',
  peer,
  group: GROUP,
  endpoints: [endpoint],
})
const closed = (peer: string): ProbesEvent => ({ type: 'closed', peer })
const tick: ProbesEvent = { type: 'tick' }

/** At a time, an event, and whose claims are due then. */
type Step = [atMs: number, event: ProbesEvent, due?: string]

const cases: { id: string; steps: Step[] }[] = [
  {
    id: 'begin five seconds after the handshake, and not with it',
    steps: [
      [1_000, claimed('P')],
      [1_000, tick],
      [1_000 + DELAY_MS - 1, tick],
      [1_000 + DELAY_MS, tick, 'P'],
      [1_000 + 2 * DELAY_MS, tick],
    ],
  },
  {
    id: 'begin one after the other, with a pause, in the order of the handshakes',
    steps: [
      [0, claimed('P')],
      [0, claimed('A')],
      [100, claimed('Z')],
      [DELAY_MS, tick, 'P'],
      [DELAY_MS, tick],
      [DELAY_MS + PAUSE_MS - 1, tick],
      [DELAY_MS + PAUSE_MS, tick, 'A'],
      [DELAY_MS + PAUSE_MS + 1, tick],
      [DELAY_MS + 2 * PAUSE_MS, tick, 'Z'],
    ],
  },
  {
    id: 'are late when nobody has looked, and still one at a time',
    steps: [
      [0, claimed('P')],
      [0, claimed('Q')],
      [100_000, tick, 'P'],
      [100_000, tick],
      [100_000 + PAUSE_MS, tick, 'Q'],
    ],
  },
  {
    id: 'are not begun for a peer that has left; the next one takes its turn',
    steps: [
      [0, claimed('P')],
      [0, claimed('Q')],
      [10, closed('P')],
      [DELAY_MS, tick, 'Q'],
      [DELAY_MS + PAUSE_MS, tick],
    ],
  },
  {
    id: 'wait anew when a peer leaves and comes again',
    steps: [
      [0, claimed('P')],
      [10, closed('P')],
      [20, claimed('P')],
      [DELAY_MS + 19, tick],
      [DELAY_MS + 20, tick, 'P'],
    ],
  },
  {
    id: 'are not put off by a peer that claims again',
    steps: [
      [0, claimed('P')],
      [4_000, claimed('P', 'other:1')],
      [DELAY_MS, tick, 'P'],
      [2 * DELAY_MS, tick],
    ],
  },
  { id: 'of peers that are not known can be closed', steps: [[0, closed('P')]] },
]

describe('probes', () => {
  for (const { id, steps } of cases) {
    it(id, () => {
      const probes = new Probes()
      for (const [atMs, event, due] of steps) {
        const begun = probes.handle(event, atMs).map(({ claims }) => claims.peer)
        assert.deepEqual(begun, due === undefined ? [] : [due], `at ${atMs}`)
        probes.check()
      }
    })
  }

  it('tell what was claimed first, as it was claimed', () => {
    const probes = new Probes()
    const endpoints = ['60.1.0.1:9000', '60.1.0.1:9001']
    probes.handle({ type: 'claimed', peer: 'P', group: GROUP, endpoints }, 0)
    probes.handle(claimed('P', 'other:1'), 1)
    assert.deepEqual(probes.handle(tick, DELAY_MS), [
      { type: 'probe', claims: { peer: 'P', group: GROUP, endpoints } },
    ])
  })

  it('are at most so many; one more is forgotten', () => {
    const probes = new Probes()
    for (let n = 0; n <= PROBES_MAX; n++) probes.handle(claimed(`P${n}`), 0)
    probes.check()
    const due: string[] = []
    for (let atMs = DELAY_MS; atMs < DELAY_MS + (PROBES_MAX + 10) * PAUSE_MS; atMs += PAUSE_MS) {
      due.push(...probes.handle(tick, atMs).map(({ claims }) => claims.peer))
    }
    assert.deepEqual(
      due,
      Array.from({ length: PROBES_MAX }, (_, n) => `P${n}`),
    )
  })

  it('keep their rules under random events', () => {
    const step = fc.record({
      waitMs: fc.oneof(fc.constantFrom(0, 1, 100, PAUSE_MS), fc.nat({ max: DELAY_MS })),
      type: fc.constantFrom('claimed', 'claimed', 'closed', 'tick', 'tick', 'tick'),
      peer: fc.constantFrom('P', 'Q', 'R', 'S', 'T'),
    })
    const counts = { probes: 0, late: 0 }
    forRandomEvents(step, { runs: 300, most: 120 }, steps => {
      const probes = new Probes()
      /** When the claims of each peer came that must still be tried. */
      const open = new Map<string, number>()
      let nowMs = 0
      let lastMs = Number.NEGATIVE_INFINITY
      for (const { waitMs, type, peer } of steps) {
        nowMs += waitMs
        const event = type === 'claimed' ? claimed(peer) : type === 'closed' ? closed(peer) : tick
        const [action, ...more] = probes.handle(event, nowMs)
        probes.check()
        assert.equal(more.length, 0)
        const ripe = [...open].filter(([, sinceMs]) => nowMs - sinceMs >= DELAY_MS).map(([other]) => other)
        const mayBegin = type === 'tick' && nowMs - lastMs >= PAUSE_MS
        assert.equal(action?.claims.peer, mayBegin ? ripe[0] : undefined)
        if (action !== undefined) {
          counts.probes++
          if (ripe.length > 1) counts.late++
          open.delete(action.claims.peer)
          lastMs = nowMs
        }
        if (type === 'claimed' && !open.has(peer)) open.set(peer, nowMs)
        if (type === 'closed') open.delete(peer)
      }
    })
    assert.ok(counts.probes > 100 && counts.late > 10, JSON.stringify(counts))
  })
})
