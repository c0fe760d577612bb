import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { DropReason } from '../../src/core/drops.ts'
import { Random } from '../../src/core/random.ts'
import { AddressBook } from '../../src/peers/address-book.ts'
import { Outbound, type OutboundOptions } from '../../src/peers/outbound.ts'
import type { OutboundEvent } from '../../src/peers/outbound-event.ts'
import { groupsUnder } from '../../src/peers/places.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { OutboundJudge } from './outbound-judge.ts'
import { endpointIn, WALL_MS } from './outbound-setup.ts'

const OPTIONS: OutboundOptions = {
  target: 5,
  anchors: 2,
  feelerPeriodMs: 30_000,
  rotationMinMs: 20_000,
  rotationMaxMs: 40_000,
  parallelDials: 3,
  groupRules: 'all',
  offlineMinMs: 1_000,
  offlineMaxMs: 60_000,
}

/** Three endpoints in each of eleven groups. */
const ENDPOINTS = Array.from({ length: 33 }, (_, n) => endpointIn(n % 11, 1 + Math.floor(n / 11)))
const FORBIDDEN = ENDPOINTS[7]
/** At two endpoints of different groups is the same peer. */
const peerAt = (endpoint: string): string =>
  endpoint === ENDPOINTS[1] ? 'peer 0' : `peer ${ENDPOINTS.indexOf(endpoint)}`

interface Step {
  readonly waitMs: number
  readonly kind: 'greeted' | 'failed' | 'refused' | 'closed' | 'peer' | 'gone' | 'learned' | 'tick' | 'stray'
  /** Which of the dials, connections or endpoints. */
  readonly which: number
  readonly reason: DropReason
}

const step: fc.Arbitrary<Step> = fc.record({
  waitMs: fc.constantFrom(0, 0, 0, 10, 100, 500, 2_000, 10_000, 45_000, 130_000),
  kind: fc.oneof(
    { weight: 8, arbitrary: fc.constant('greeted' as const) },
    { weight: 3, arbitrary: fc.constant('failed' as const) },
    { weight: 2, arbitrary: fc.constant('refused' as const) },
    { weight: 3, arbitrary: fc.constant('closed' as const) },
    { weight: 1, arbitrary: fc.constantFrom('peer' as const, 'gone' as const, 'learned' as const) },
    { weight: 4, arbitrary: fc.constant('tick' as const) },
    { weight: 1, arbitrary: fc.constant('stray' as const) },
  ),
  which: fc.nat(999),
  reason: fc.constantFrom<DropReason>('duplicate', 'version', 'network', 'plain', 'handshake', 'stopping'),
})

/** The event of a step, as the world outside can bring it about: each dial is answered once. */
function eventOf({ kind, which, reason }: Step, judge: OutboundJudge): OutboundEvent {
  const dial = judge.dials[which % Math.max(1, judge.dials.length)]
  const leaving = judge.connected.filter(place => place.isLeaving)
  // Those that were told to go are the likelier ones to close.
  const closing = leaving.length > 0 && which % 3 > 0 ? leaving : judge.connected
  const place = closing[which % Math.max(1, closing.length)]
  const endpoint = ENDPOINTS[which % ENDPOINTS.length] ?? ''
  if (kind === 'greeted' && dial !== undefined)
    return { type: kind, endpoint: dial.endpoint, peer: peerAt(dial.endpoint) }
  if (kind === 'failed' && dial !== undefined) return { type: kind, endpoint: dial.endpoint }
  if (kind === 'refused' && dial !== undefined)
    return { type: kind, endpoint: dial.endpoint, reason, peer: peerAt(dial.endpoint) }
  if (kind === 'closed' && place !== undefined) return { type: kind, peer: place.peer }
  if (kind === 'peer' && !judge.isConnected(peerAt(endpoint))) return { type: kind, peer: peerAt(endpoint) }
  if (kind === 'gone') return { type: kind, peer: judge.others[which % 9] ?? 'nobody' }
  if (kind === 'stray') return { type: 'greeted', endpoint: endpointIn(200), peer: 'stray' }
  return { type: kind === 'learned' ? kind : 'tick' }
}

function newBook(random: Random): AddressBook {
  const key = new Uint8Array(32)
  random.fill(key)
  const book = new AddressBook({ key, random: () => random.fraction(), groupRules: 'all' })
  for (const endpoint of ENDPOINTS)
    book.add({ endpoint, source: 'exchange', sourceGroup: '4:9.9', lastHeardMs: WALL_MS }, WALL_MS)
  return book
}

describe('the outbound machine before its judge', () => {
  it('keeps all rules', () => {
    const seen: Record<string, number> = {}
    forRandomEvents(step, { runs: 150, most: 300 }, steps => {
      const random = new Random(`${steps.length}/${steps[0]?.which ?? 0}`)
      const parts = {
        groupOf: groupsUnder('all'),
        mayDial: (endpoint: string) => endpoint !== FORBIDDEN,
        anchors: [3, 4].map(n => {
          const endpoint = ENDPOINTS[n] ?? ''
          return { endpoint, peer: peerAt(endpoint), trials: 0 }
        }),
      }
      const book = newBook(random)
      const outbound = new Outbound(OPTIONS, { ...parts, book, random: () => random.fraction() })
      const judge = new OutboundJudge(OPTIONS, parts)
      let nowMs = 0
      const handle = (event: OutboundEvent): void => {
        judge.note(event)
        const actions = outbound.handle(event, nowMs, WALL_MS + nowMs)
        judge.judge(actions)
        outbound.check()
        const { established, dialling, anchors } = outbound.counts()
        assert.deepEqual([established, dialling], [judge.kept.length, judge.dials.length], 'what is counted')
        const roles = judge.kept.map(({ peer }) => outbound.roleOf(peer))
        assert.equal(roles.filter(role => role === 'anchor').length, anchors)
        assert.ok(roles.every(role => role === 'anchor' || role === 'outbound'))
        for (const { peer, purpose } of judge.connected)
          if (purpose === 'feeler') assert.equal(outbound.roleOf(peer), 'feeler')
      }
      for (const next of steps) {
        nowMs += next.waitMs
        handle(eventOf(next, judge))
      }
      for (const [kind, count] of Object.entries(judge.seen)) seen[kind] = (seen[kind] ?? 0) + count
    })
    for (const kind of ['outbound', 'anchor', 'feeler', 'rotation', 'rotated', 'surplus', 'seek', 'anchors'])
      assert.ok((seen[kind] ?? 0) > 20, `${kind}: ${seen[kind] ?? 0} times only`)
  })
})
