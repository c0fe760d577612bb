import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type GroupRules, ruledGroup } from '../../src/core/endpoint.ts'
import { DISCOURAGED_MAX, Discouraged, IDS_PER_IP } from '../../src/peers/discouraged.ts'
import { subscriberOf } from '../../src/peers/subscriber.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'

const IP = '203.0.113.7'

/** So many peers, all from one address: `p0`, `p1`, … */
function crowd(count: number, ip: string | undefined, groupRules: GroupRules = 'all'): Discouraged {
  const discouraged = new Discouraged({ groupRules })
  for (let index = 0; index < count; index++) discouraged.add(`p${index}`, ip)
  discouraged.check()
  return discouraged
}

const addresses: { id: string; discouraged: Discouraged; ip: string; is: boolean }[] = [
  { id: 'is not after five peers', discouraged: crowd(IDS_PER_IP, IP), ip: IP, is: false },
  { id: 'is after six peers', discouraged: crowd(IDS_PER_IP + 1, IP), ip: IP, is: true },
  { id: 'is in another spelling', discouraged: crowd(6, IP), ip: `::ffff:${IP}`, is: true },
  { id: 'is not by what its neighbour did', discouraged: crowd(6, IP), ip: '203.0.113.8', is: false },
  { id: 'is with its IPv6 /64', discouraged: crowd(6, '2600::1'), ip: '2600::ffff:0:0:2', is: true },
  { id: 'is not with the next /64', discouraged: crowd(6, '2600::1'), ip: '2600:0:0:1::1', is: false },
  { id: 'is not when it was unknown', discouraged: crowd(6, undefined), ip: IP, is: false },
  {
    id: 'is when private, where rules are for all',
    discouraged: crowd(6, '10.0.0.1'),
    ip: '10.0.0.1',
    is: true,
  },
  {
    id: 'is not when private, where rules are for routable ones',
    discouraged: crowd(6, '10.0.0.1', 'routable'),
    ip: '10.0.0.1',
    is: false,
  },
]

describe('a discouraged address', () => {
  for (const { id, discouraged, ip, is } of addresses) {
    it(id, () => assert.equal(discouraged.has(undefined, ip), is))
  }

  it('is counted by peers, not by how often they misbehave', () => {
    const discouraged = new Discouraged({ groupRules: 'all' })
    for (let times = 0; times < 20; times++) discouraged.add('p', IP)
    assert.equal(discouraged.size, 1)
    assert.equal(discouraged.has(undefined, IP), false)
  })

  it('is rid of a peer that has moved', () => {
    const discouraged = crowd(6, IP)
    discouraged.add('p3', '198.51.100.1')
    discouraged.check()
    assert.equal(discouraged.has(undefined, IP), false)
    assert.equal(discouraged.has('p3', undefined), true)
  })
})

describe('a discouraged peer', () => {
  it('is whatever its address, and others are not', () => {
    const discouraged = crowd(1, IP)
    assert.equal(discouraged.has('p0', undefined), true)
    assert.equal(discouraged.has('p0', '198.51.100.1'), true)
    assert.equal(discouraged.has('p1', IP), false)
    assert.equal(discouraged.has(undefined, undefined), false)
  })

  it('is remembered until half as many others have come as can be remembered, at least', () => {
    const discouraged = new Discouraged({ groupRules: 'all' })
    discouraged.add('first', IP)
    for (let index = 0; index < DISCOURAGED_MAX / 2; index++) discouraged.add(`p${index}`, undefined)
    assert.equal(discouraged.has('first', undefined), true)
    for (let index = 0; index < 3 * DISCOURAGED_MAX; index++) {
      discouraged.add(`q${index}`, `8.${index % 200}.${index % 7}.1`)
      assert.ok(discouraged.size <= DISCOURAGED_MAX)
    }
    assert.equal(discouraged.has('first', undefined), false)
    assert.equal(discouraged.has(`q${3 * DISCOURAGED_MAX - 1}`, undefined), true)
    discouraged.check()
  })

  it('is remembered anew when it misbehaves anew', () => {
    const discouraged = new Discouraged({ groupRules: 'all', max: 4 })
    for (const peer of ['a', 'b', 'c', 'a', 'd', 'e']) discouraged.add(peer, undefined)
    assert.deepEqual(
      ['a', 'b', 'c', 'd', 'e'].filter(peer => discouraged.has(peer, undefined)),
      ['a', 'c', 'd', 'e'],
    )
  })
})

/** The naive twin: lists of what was added, searched from end to end. */
class DiscouragedTwin {
  readonly #max: number
  readonly #groupRules: GroupRules
  #young: { readonly peer: string; readonly from: string | undefined }[] = []
  #old: { readonly peer: string; readonly from: string | undefined }[] = []

  constructor(groupRules: GroupRules, max: number) {
    this.#groupRules = groupRules
    this.#max = max
  }

  add(peer: string, ip: string | undefined): void {
    this.#young = this.#young.filter(other => other.peer !== peer)
    this.#old = this.#old.filter(other => other.peer !== peer)
    if (this.#young.length === this.#max / 2) {
      this.#old = this.#young
      this.#young = []
    }
    this.#young.push({ peer, from: this.#from(ip) })
  }

  has(peer: string | undefined, ip: string | undefined): boolean {
    const all = [...this.#young, ...this.#old]
    if (all.some(other => other.peer === peer)) return true
    const from = this.#from(ip)
    return from !== undefined && all.filter(other => other.from === from).length > 5
  }

  #from(ip: string | undefined): string | undefined {
    const isExempt = ip === undefined || ruledGroup(ip, this.#groupRules) === undefined
    return isExempt ? undefined : subscriberOf(ip)
  }
}

describe('the discouraged beside their twin', () => {
  const ips = ['8.8.8.8', '8.8.8.9', '2600::1', '2600::2', '10.0.0.1']
  const peers = Array.from({ length: 40 }, (_, index) => `p${index}`)
  const event = fc.record({
    peer: fc.constantFrom(...peers),
    ip: fc.option(fc.constantFrom(...ips), { nil: undefined }),
  })

  for (const groupRules of ['all', 'routable'] as const) {
    it(`agree where rules are for ${groupRules}`, () => {
      forRandomEvents(event, { runs: 50, most: 120 }, events => {
        const discouraged = new Discouraged({ groupRules, max: 24 })
        const twin = new DiscouragedTwin(groupRules, 24)
        for (const { peer, ip } of events) {
          discouraged.add(peer, ip)
          twin.add(peer, ip)
          discouraged.check()
          for (const other of peers)
            assert.equal(discouraged.has(other, undefined), twin.has(other, undefined))
          for (const other of ips) assert.equal(discouraged.has(undefined, other), twin.has(undefined, other))
        }
      })
    })
  }
})
