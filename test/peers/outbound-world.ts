/**
 * A small world around the outbound machine and the real address book, in virtual time: endpoints that are up or down,
 * dials that take 50 ms or fail (at once when refused, after 5 s when nobody is there), dead connections that are
 * noticed after 25 s. No sockets, no randomness but the seed's.
 */
import type { Endpoint } from '../../src/core/endpoint.ts'
import { Random } from '../../src/core/random.ts'
import { AddressBook } from '../../src/peers/address-book.ts'
import type { Anchor } from '../../src/peers/anchors.ts'
import { Outbound, type OutboundOptions } from '../../src/peers/outbound.ts'
import type { OutboundAction, OutboundEvent } from '../../src/peers/outbound-event.ts'
import { groupsUnder } from '../../src/peers/places.ts'
import { WALL_MS } from './outbound-setup.ts'

export const WORLD_OPTIONS: OutboundOptions = {
  target: 12,
  anchors: 4,
  feelerPeriodMs: 120_000,
  rotationMinMs: 20_000,
  rotationMaxMs: 40_000,
  parallelDials: 4,
  groupRules: 'all',
  offlineMinMs: 1_000,
  offlineMaxMs: 60_000,
}

const TICK_MS = 100
const DIAL_MS = 50
const TIMEOUT_MS = 5_000
export const SILENCE_MS = 25_000

/** Something that happens at a time. */
interface Due {
  readonly atMs: number
  readonly event: OutboundEvent
}

export class World {
  readonly random: Random
  readonly book: AddressBook
  readonly up = new Set<Endpoint>()
  /** Everything that the machine has asked for. */
  readonly log: { readonly atMs: number; readonly action: OutboundAction }[] = []
  anchors: readonly Anchor[] = []
  /** Who is connected, since when. */
  readonly connected = new Map<Endpoint, number>()
  nowMs = 0
  readonly #options: OutboundOptions
  #outbound: Outbound
  #due: Due[] = []

  constructor(seed: string, options: Partial<OutboundOptions> = {}) {
    this.#options = { ...WORLD_OPTIONS, ...options }
    this.random = new Random(seed)
    const key = new Uint8Array(32)
    this.random.fill(key)
    const { groupRules } = this.#options
    this.book = new AddressBook({ key, random: () => this.random.fraction(), groupRules })
    this.#outbound = this.#start()
  }

  get wallMs(): number {
    return WALL_MS + this.nowMs
  }

  /** Addresses that the book knows from somebody. */
  tell(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) {
      const sourceGroup = groupsUnder('all')(endpoint) ?? ''
      this.book.add({ endpoint, source: 'exchange', sourceGroup, lastHeardMs: this.wallMs }, this.wallMs)
    }
  }

  /** The node is killed and started again: what is in the book and on disk stays. */
  restart(): void {
    this.connected.clear()
    this.#due = []
    this.#outbound = this.#start()
  }

  /** Somebody goes: what it held is noticed after a while. */
  kill(endpoint: Endpoint): void {
    this.up.delete(endpoint)
    if (this.connected.has(endpoint)) this.#soon(SILENCE_MS, { type: 'closed', peer: endpoint })
  }

  run(forMs: number, until: () => boolean = () => false): boolean {
    const endMs = this.nowMs + forMs
    while (this.nowMs < endMs) {
      this.nowMs += TICK_MS
      const due = this.#due.filter(({ atMs }) => atMs <= this.nowMs)
      this.#due = this.#due.filter(({ atMs }) => atMs > this.nowMs)
      for (const { event } of due) this.#happen(event)
      this.#handle({ type: 'tick' })
      if (until()) return true
    }
    return false
  }

  feed(event: OutboundEvent): void {
    this.#handle(event)
  }

  dials(purpose?: string): Endpoint[] {
    return this.log.flatMap(({ action }) =>
      action.type === 'dial' && (purpose === undefined || action.purpose === purpose)
        ? [action.endpoint]
        : [],
    )
  }

  count(type: OutboundAction['type']): number {
    return this.log.filter(({ action }) => action.type === type).length
  }

  #start(): Outbound {
    const random = (): number => this.random.fraction()
    const { book, anchors } = this
    return new Outbound(this.#options, { book, random, mayDial: () => true, anchors })
  }

  #soon(inMs: number, event: OutboundEvent): void {
    this.#due.push({ atMs: this.nowMs + inMs, event })
  }

  /** What was due may have become untrue. */
  #happen(event: OutboundEvent): void {
    if (event.type === 'greeted') {
      if (!this.up.has(event.endpoint)) return this.#handle({ type: 'failed', endpoint: event.endpoint })
      this.connected.set(event.endpoint, this.nowMs)
    }
    if (event.type === 'closed' && !this.connected.delete(event.peer)) return
    this.#handle(event)
  }

  #handle(event: OutboundEvent): void {
    for (const action of this.#outbound.handle(event, this.nowMs, this.wallMs)) {
      this.log.push({ atMs: this.nowMs, action })
      if (action.type === 'anchors') this.anchors = action.anchors
      if (action.type === 'drop') this.#soon(DIAL_MS, { type: 'closed', peer: action.peer })
      if (action.type !== 'dial') continue
      const { endpoint } = action
      // The peer's id is its endpoint.
      if (this.up.has(endpoint)) this.#soon(DIAL_MS, { type: 'greeted', endpoint, peer: endpoint })
      else this.#soon(this.random.below(2) * TIMEOUT_MS, { type: 'failed', endpoint })
    }
    this.#outbound.check()
  }
}
