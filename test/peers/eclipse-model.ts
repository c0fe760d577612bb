/**
 * An eclipse attack on a node that restarts: a model around the real address book and the real outbound machine.
 *
 * The world before the restart, made through the book's own interface:
 * - 100 honest addresses, each in a group of its own, have been reached and stand in `tried`.
 * - The attacker's addresses are all online. Each was told by its own group, and then reached, as feelers do in time.
 *   Where its place in `tried` is taken, the occupant is tested first: an attacker's answers, an honest one answers with
 *   p = 0.5, and one that does not answer loses its place.
 * - The attacker's groups have also told of addresses at which nobody is, until the places in `new` that they can reach
 *   are full.
 *
 * The restart: four of the honest were anchors, each online with p = 0.7, independent of each other and of what they
 * answered before; of the other 96 just half are online, drawn anew for each restart. A node is eclipsed when all its
 * places are taken, and all by the attacker. Nothing but the machine decides whom it dials; there are no inbound peers.
 *
 * One book serves many restarts. After each of them whoever was dialled gets its old place and no failures, through the
 * book's interface, and hours pass: no restart sees what another has done.
 */
import assert from 'node:assert/strict'
import { type Endpoint, type Group, groupOf } from '../../src/core/endpoint.ts'
import { Random } from '../../src/core/random.ts'
import { AddressBook } from '../../src/peers/address-book.ts'
import type { Anchor } from '../../src/peers/anchors.ts'
import { Outbound, type OutboundOptions } from '../../src/peers/outbound.ts'
import type { OutboundEvent } from '../../src/peers/outbound-event.ts'

export interface Attack {
  readonly groups: number
  /** Addresses in each of them. */
  readonly hostsPerGroup: number
  /** How many of the four anchors are the attacker's; 0 in the model. */
  readonly ownAnchors?: number
}

export const BOTS: Attack = { groups: 4_600, hostsPerGroup: 1 }
export const GROUPS: Attack = { groups: 32, hostsPerGroup: 256 }
/** The same addresses as in `GROUPS`, if neither book nor machine looked at groups: each in one of its own. */
export const UNGROUPED: Attack = { groups: 32 * 256, hostsPerGroup: 1 }

/** What is taken out of the machine to see that it matters. */
export interface Variant {
  readonly target?: number
  readonly anchors?: number
  /** Each endpoint is free to stand beside any other. */
  readonly isWithoutGroupRule?: boolean
}

export interface Outcome {
  /** How many of the places the attacker has. */
  readonly attackers: number
  readonly isEclipsed: boolean
  /** An anchor that was online has a place. */
  readonly hasAnchor: boolean
}

const HONEST = 100
const ANCHORS = 4
const ANCHOR_ONLINE = 0.7

/** How likely no anchor is online. */
export const NO_ANCHOR = (1 - ANCHOR_ONLINE) ** ANCHORS

/** Any moment. */
const BEGIN_MS = 1_800_000_000_000
const HOUR_MS = 3_600_000
const TICK_MS = 100

const OPTIONS: OutboundOptions = {
  target: 12,
  anchors: ANCHORS,
  feelerPeriodMs: 120_000,
  rotationMinMs: 20_000,
  rotationMaxMs: 40_000,
  parallelDials: 4,
  groupRules: 'all',
  offlineMinMs: 1_000,
  offlineMaxMs: 60_000,
}

/** The n-th group from the first number, as `20.0`, `20.1`, … */
const groupAt = (first: number, n: number): string => `${first + Math.floor(n / 256)}.${n % 256}`

export class Siege {
  readonly #random: Random
  readonly #attack: Attack
  readonly #book: AddressBook
  readonly #honest: Endpoint[] = []
  readonly #attackers = new Set<Endpoint>()
  readonly #trash = new Set<Endpoint>()
  /** The group that told of an address. */
  readonly #tellers = new Map<Endpoint, Group>()
  #wallMs = BEGIN_MS

  constructor(attack: Attack, seed: string) {
    this.#attack = attack
    this.#random = new Random(`${seed}/siege`)
    const key = new Uint8Array(32)
    this.#random.fill(key)
    this.#book = new AddressBook({ key, random: () => this.#random.fraction(), groupRules: 'all' })
    this.#meetHonest()
    this.#invade()
    this.#litter()
  }

  /** What stands in the book. */
  census(): { honestTried: number; attackersTried: number; trash: number; honestNew: number } {
    const found = { honestTried: 0, attackersTried: 0, trash: 0, honestNew: 0 }
    for (const { endpoint, isTried } of this.#book.entries()) {
      if (this.#attackers.has(endpoint)) found.attackersTried += isTried ? 1 : 0
      else if (this.#trash.has(endpoint)) found.trash++
      else if (isTried) found.honestTried++
      else found.honestNew++
    }
    return found
  }

  /** For each of the anchors, whether it is online. */
  drawAnchors(): boolean[] {
    return Array.from({ length: ANCHORS }, () => this.#random.fraction() < ANCHOR_ONLINE)
  }

  /** Fills the places of a node that has just started. */
  restart(isAnchorOnline: readonly boolean[], variant: Variant = {}): Outcome {
    const options = { ...OPTIONS, target: variant.target ?? 12, anchors: variant.anchors ?? ANCHORS }
    const online = this.#draw(isAnchorOnline)
    const anchors = this.#anchors(options.anchors)
    const outbound = new Outbound(options, {
      book: this.#book,
      random: () => this.#random.fraction(),
      mayDial: () => true,
      anchors,
      ...(variant.isWithoutGroupRule === true ? { groupOf: () => undefined } : {}),
    })
    const connected = new Set<Endpoint>()
    const waiting: Endpoint[] = []
    /** Who is dialled, and whether it stood in `tried` before; undefined if the book did not know it. */
    const dialled = new Map<Endpoint, boolean | undefined>()
    const handle = (event: OutboundEvent, nowMs: number): void => {
      for (const action of outbound.handle(event, nowMs, this.#wallMs + nowMs)) {
        if (action.type !== 'dial') continue
        waiting.push(action.endpoint)
        if (!dialled.has(action.endpoint))
          dialled.set(action.endpoint, this.#book.get(action.endpoint)?.isTried)
      }
    }
    for (let nowMs = 0; connected.size < options.target; nowMs += TICK_MS) {
      assert.ok(nowMs < HOUR_MS / 2, 'the places are not filled')
      handle({ type: 'tick' }, nowMs)
      while (waiting.length > 0 && connected.size < options.target) {
        const endpoint = waiting.shift() ?? ''
        const isThere = this.#attackers.has(endpoint) || online.has(endpoint)
        if (isThere) connected.add(endpoint)
        handle(isThere ? { type: 'greeted', endpoint, peer: endpoint } : { type: 'failed', endpoint }, nowMs)
      }
    }
    outbound.check()
    this.#mend(dialled)
    const attackers = [...connected].filter(endpoint => this.#attackers.has(endpoint)).length
    const hasAnchor = anchors.some(({ endpoint }) => online.has(endpoint) && connected.has(endpoint))
    return { attackers, isEclipsed: attackers === connected.size, hasAnchor }
  }

  #meetHonest(): void {
    for (let n = 0; n < HONEST; n++) {
      const endpoint = `${groupAt(20, n)}.0.1:9000`
      this.#honest.push(endpoint)
      this.#tell(endpoint, groupOf(endpoint))
      this.#book.good(endpoint, endpoint, this.#wallMs)
    }
  }

  #invade(): void {
    const { groups, hostsPerGroup } = this.#attack
    for (let host = 0; host < hostsPerGroup; host++) {
      for (let n = 0; n < groups; n++) {
        const endpoint = `${groupAt(21, n)}.${Math.floor(host / 256)}.${host % 256}:9000`
        this.#attackers.add(endpoint)
        // The next feeler.
        this.#wallMs += 120_000
        this.#tell(endpoint, groupOf(endpoint))
        this.#book.good(endpoint, endpoint, this.#wallMs)
        this.#settle()
      }
    }
  }

  /** Tests the occupants of places that others want, until none is left. */
  #settle(): void {
    for (;;) {
      const occupant = this.#book.selectCollision(this.#wallMs)
      if (occupant === undefined) return
      this.#book.attempt(occupant.endpoint, true, this.#wallMs)
      if (this.#attackers.has(occupant.endpoint) || this.#random.fraction() < 0.5)
        this.#book.good(occupant.endpoint, occupant.endpoint, this.#wallMs)
      this.#wallMs += 61_000
      this.#book.resolveCollisions(this.#wallMs)
    }
  }

  #litter(): void {
    const sources = [...new Set([...this.#attackers].map(groupOf))]
    const offers = 40_000
    for (let n = 0; n < offers; n++) {
      const [group, high, low] = [10_000, 256, 256].map(bound => this.#random.below(bound))
      const endpoint = `${groupAt(60, group ?? 0)}.${high}.${low}:9000`
      const source = sources[n % sources.length] ?? ''
      if (this.#trash.has(endpoint)) continue
      if (this.#tell(endpoint, source) === 'added') this.#trash.add(endpoint)
    }
  }

  #tell(endpoint: Endpoint, sourceGroup: Group): string {
    this.#tellers.set(endpoint, sourceGroup)
    const heard = { endpoint, source: 'exchange' as const, sourceGroup, lastHeardMs: this.#wallMs }
    return this.#book.add(heard, this.#wallMs)
  }

  /** The honest that are online; the first four are the anchors, in an order drawn anew. */
  #draw(isAnchorOnline: readonly boolean[]): Set<Endpoint> {
    const honest = this.#honest
    for (let n = honest.length - 1; n > 0; n--) {
      const other = this.#random.below(n + 1)
      const kept = honest[n] ?? ''
      honest[n] = honest[other] ?? ''
      honest[other] = kept
    }
    const others = honest.slice(ANCHORS, ANCHORS + (HONEST - ANCHORS) / 2)
    return new Set([...honest.slice(0, ANCHORS).filter((_, n) => isAnchorOnline[n] === true), ...others])
  }

  #anchors(count: number): Anchor[] {
    const own = [...this.#attackers].slice(0, this.#attack.ownAnchors ?? 0)
    return [...own, ...this.#honest]
      .slice(0, count)
      .map(endpoint => ({ endpoint, peer: endpoint, trials: 0 }))
  }

  /** Puts back into the book what a restart has changed in it. */
  #mend(dialled: ReadonlyMap<Endpoint, boolean | undefined>): void {
    this.#wallMs += HOUR_MS
    for (const [endpoint, wasTried] of dialled) {
      if (wasTried) this.#book.good(endpoint, endpoint, this.#wallMs)
      if (wasTried === false) {
        this.#book.remove(endpoint)
        assert.equal(this.#tell(endpoint, this.#tellers.get(endpoint) ?? ''), 'added')
      }
      assert.equal(this.#book.get(endpoint)?.isTried, wasTried)
    }
    this.#wallMs += HOUR_MS
  }
}

export interface Series {
  readonly seed: string
  readonly books: number
  /** Restarts on each of them. */
  readonly restarts: number
}

/**
 * Restarts one after another, with what was true of the anchors.
 * @param anchors whether they are online; drawn, if left out
 */
export function* restarts(
  attack: Attack,
  variant: Variant,
  { seed, books, restarts: count }: Series,
  anchors?: readonly boolean[],
): Generator<Outcome & { readonly isAnchorOnline: boolean }> {
  for (let book = 0; book < books; book++) {
    const siege = new Siege(attack, `${seed}/${book}`)
    for (let n = 0; n < count; n++) {
      const drawn = anchors ?? siege.drawAnchors()
      yield { ...siege.restart(drawn, variant), isAnchorOnline: drawn.includes(true) }
    }
  }
}
