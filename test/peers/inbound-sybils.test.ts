/**
 * Attackers against inbound places: 200 sybils from 5 network groups, who know the rules but not the key, and knock all
 * the time. Counted is how many of a full set of honest peers they drive out. They are worse than real ones: no limit for
 * addresses or groups (`admission.ts`) stands before the places, and no honest peer comes back.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Random } from '../../src/core/random.ts'
import { Inbound, type InboundAction, type InboundEvent } from '../../src/peers/inbound.ts'

const PLACES = 64
const SYBILS = 200
const SYBIL_GROUPS = 5
const KNOCKS = 500
const SEEDS = 8

/** What the sybils do besides knocking. */
interface Strategy {
  readonly id: string
  /** They are nearer than any honest peer. */
  readonly isNear?: boolean
  /** Each of them gives something new before every knock, of so many bytes. */
  readonly freshBytes?: number
  /** So often, of all knocks, one of them leaves first, to come back younger. */
  readonly leaves?: number
  /** So many of them have been there longer than any honest peer. */
  readonly early?: number
}

const STRATEGIES: Strategy[] = [
  { id: 'only knock' },
  { id: 'are near', isNear: true },
  { id: 'give much that is new', freshBytes: 1_000_000 },
  { id: 'give little that is new, and leave to come again', freshBytes: 1, leaves: 0.3 },
  { id: 'have come early', early: 16 },
  { id: 'do all of it', isNear: true, freshBytes: 1_000_000, leaves: 0.3, early: 16 },
]

/** The honest peers live in so many groups, some of them the larger for it. */
const HONEST_GROUPS = [64, 30, 8]

/** Who decides about places. */
type Policy = Pick<Inbound, 'handle' | 'check'>

/** What `Inbound` is compared with: evicts by lot. */
class AnybodyGoes implements Policy {
  readonly #random: Random
  readonly #present = new Set<string>()

  constructor(random: Random) {
    this.#random = random
  }

  handle(event: InboundEvent): InboundAction[] {
    if (event.type === 'closed') this.#present.delete(event.peer)
    if (event.type !== 'connected') return []
    const victim = [...this.#present][this.#random.below(this.#present.size)]
    this.#present.add(event.peer)
    if (victim === undefined || this.#present.size <= PLACES) return []
    this.#present.delete(victim)
    return [{ type: 'drop', peer: victim, reason: 'evicted' }]
  }

  check(): void {
    assert.ok(this.#present.size <= PLACES)
  }
}

class Siege {
  readonly #inbound: Policy
  readonly #random: Random
  readonly #strategy: Strategy
  readonly #present = new Set<string>()
  #nowMs = 0

  constructor(strategy: Strategy, seed: string, policy?: Policy) {
    this.#strategy = strategy
    this.#random = new Random(seed)
    this.#inbound = policy ?? new Inbound({ inboundMax: PLACES, interop: true, groupRules: 'all', key: seed })
  }

  get honest(): number {
    return this.#named('honest').length
  }

  has(peer: string): boolean {
    return this.#present.has(peer)
  }

  connect(peer: string, ip: string, rttMs: number): void {
    this.#nowMs += 100
    this.#present.add(peer)
    const before = this.#present.size
    this.#feed({ type: 'connected', peer, ip, isManual: false, isDiscouraged: false })
    assert.equal(before - this.#present.size, before > PLACES ? 1 : 0)
    this.#feed({ type: 'rtt', peer, ms: rttMs })
  }

  connectHonest(index: number, group: number): void {
    this.connect(`honest ${index}`, `60.${group}.${index}.1`, 20 + this.#random.below(230))
  }

  connectSybil(index: number): void {
    const peer = `sybil ${index}`
    if (this.has(peer)) return
    const rttMs = this.#strategy.isNear ? 1 : 20 + this.#random.below(230)
    this.connect(peer, `70.${index % SYBIL_GROUPS}.${index}.1`, rttMs)
  }

  knock(): void {
    const { freshBytes, leaves = 0 } = this.#strategy
    const sybils = this.#named('sybil')
    const honest = this.#named('honest')
    if (this.#random.below(3) === 0)
      this.#give(honest[this.#random.below(honest.length)], this.#random.below(1_000))
    if (freshBytes !== undefined) for (const sybil of sybils) this.#give(sybil, freshBytes)
    if (this.#random.fraction() < leaves) this.#leave(sybils[this.#random.below(sybils.length)])
    this.connectSybil(this.#random.below(SYBILS))
  }

  #give(peer: string | undefined, sizeBytes: number): void {
    if (peer !== undefined) this.#feed({ type: 'fresh', peer, sizeBytes })
  }

  #leave(peer: string | undefined): void {
    if (peer === undefined) return
    this.#present.delete(peer)
    this.#feed({ type: 'closed', peer })
  }

  #feed(event: InboundEvent): void {
    for (const { peer } of this.#inbound.handle(event, this.#nowMs)) this.#present.delete(peer)
    this.#inbound.check()
  }

  #named(kind: string): string[] {
    return [...this.#present].filter(peer => peer.startsWith(kind))
  }
}

/** A set of peers that fills all places, under siege. */
function siege(strategy: Strategy, honestGroups: number, seed: string, policy?: Policy): Siege {
  const all = new Siege(strategy, seed, policy)
  const { early = 0 } = strategy
  for (let index = 0; index < early; index++) all.connectSybil(index)
  for (let index = early; index < PLACES; index++) all.connectHonest(index, index % honestGroups)
  return all
}

describe('200 sybils of 5 groups', () => {
  for (const strategy of STRATEGIES) {
    for (const groups of HONEST_GROUPS) {
      it(`who ${strategy.id} leave at least half of the honest peers, of ${groups} groups`, () => {
        for (let run = 0; run < SEEDS; run++) {
          const seed = `${strategy.id}/${groups}/${run}`
          const all = siege(strategy, groups, seed)
          const before = all.honest
          for (let knock = 0; knock < KNOCKS; knock++) {
            all.knock()
            assert.ok(
              all.honest >= before / 2,
              `seed ${seed}: ${all.honest} of ${before} after knock ${knock}`,
            )
          }
        }
      })
    }
  }

  it('keep no honest stranger out, also when they hold all places', () => {
    for (const strategy of STRATEGIES) {
      const all = new Siege(strategy, `late/${strategy.id}`)
      for (let index = 0; index < PLACES; index++) all.connectSybil(index)
      for (let index = 0; index < PLACES; index++) {
        all.connectHonest(index, index)
        assert.ok(all.has(`honest ${index}`), `${index} while sybils ${strategy.id}`)
        all.knock()
      }
    }
  })

  it('drive out more than half where anybody may be evicted: the siege is one', () => {
    for (const strategy of STRATEGIES) {
      const random = new Random(`anybody/${strategy.id}`)
      const all = siege(strategy, 64, 'anybody', new AnybodyGoes(random))
      const before = all.honest
      for (let knock = 0; knock < KNOCKS; knock++) all.knock()
      assert.ok(all.honest < before / 2, `${all.honest} of ${before} while sybils ${strategy.id}`)
    }
  })
})
