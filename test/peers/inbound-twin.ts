/**
 * The naive twin of `Inbound`: keeps every event of the peers that are there, and derives from them, each time anew, what
 * is known of whom. Who is worth least it asks the twin of `victimOf`.
 */
import { ruledGroup } from '../../src/core/endpoint.ts'
import type { Candidate } from '../../src/peers/eviction.ts'
import type { InboundEvent, InboundOptions } from '../../src/peers/inbound.ts'
import { twinVictimOf } from './eviction-twin.ts'

interface Entry {
  readonly event: InboundEvent
  readonly atMs: number
}

type Connected = Extract<InboundEvent, { type: 'connected' }>

export class InboundTwin {
  readonly #options: InboundOptions
  readonly #rankOf: (groupOrPeer: string) => number
  /** Of peers that are there; the first of each is its `connected`. */
  #entries: Entry[] = []

  /** @param rankOf must be the order of the machine's keyed hash */
  constructor(options: InboundOptions, rankOf: (groupOrPeer: string) => number) {
    this.#options = options
    this.#rankOf = rankOf
  }

  get taken(): string[] {
    return this.#peers().filter(peer => !this.#said(peer).isManual)
  }

  has(peer: string): boolean {
    return this.#peers().includes(peer)
  }

  /** Who must go and why, as `peer reason`. */
  handle(event: InboundEvent, nowMs: number): string[] {
    if (event.type !== 'connected' && !this.#peers().includes(event.peer)) return []
    this.#entries.push({ event, atMs: nowMs })
    if (event.type === 'closed') this.#forget(event.peer)
    const drops: string[] = []
    if (event.type === 'connected') this.#places(event.peer, nowMs, drops)
    if (event.type === 'connected' || event.type === 'plain') this.#plainPlaces(event.peer, nowMs, drops)
    return drops
  }

  #places(newcomer: string, nowMs: number, drops: string[]): void {
    const { isManual, isDiscouraged } = this.#said(newcomer)
    if (isManual || this.taken.length <= this.#options.inboundMax) return
    const victim = this.#leastOf(this.taken, newcomer, nowMs)
    if (isDiscouraged) this.#drop(newcomer, 'discouraged', drops)
    else if (victim === undefined) this.#drop(newcomer, 'full', drops)
    else this.#drop(victim, 'evicted', drops)
  }

  #plainPlaces(newcomer: string, nowMs: number, drops: string[]): void {
    const plain = this.taken.filter(peer => this.#isPlain(peer))
    if (!plain.includes(newcomer)) return
    const places = this.#options.interop ? Math.floor(this.#options.inboundMax / 4) : 0
    if (plain.length <= places) return
    const isWelcome = this.#options.interop && !this.#said(newcomer).isDiscouraged
    const victim = isWelcome ? this.#leastOf(plain, newcomer, nowMs) : undefined
    this.#drop(victim ?? newcomer, 'plain', drops)
  }

  #leastOf(peers: readonly string[], newcomer: string, nowMs: number): string | undefined {
    const others = peers.filter(peer => peer !== newcomer)
    const candidates = others.map(peer => this.#candidate(peer, nowMs))
    return twinVictimOf(candidates, this.#groupOf(newcomer)).victim
  }

  #candidate(peer: string, nowMs: number): Candidate {
    const entries = this.#entries.filter(({ event }) => event.peer === peer)
    const rtts = entries.flatMap(({ event }) => (event.type === 'rtt' ? [event.ms] : []))
    const fresh = entries.flatMap(({ event, atMs }) =>
      event.type === 'fresh' ? [{ atMs, sizeBytes: event.sizeBytes }] : [],
    )
    const group = this.#groupOf(peer)
    return {
      peer,
      group,
      groupRank: this.#rankOf(group ?? peer),
      minRttMs: rtts.length === 0 ? undefined : Math.min(...rtts),
      lastFreshMs: fresh.at(-1)?.atMs,
      freshBytes: fresh.reduce(
        (sum, { atMs, sizeBytes }) => sum + sizeBytes / 2 ** ((nowMs - atMs) / 600_000),
        0,
      ),
      isDiscouraged: this.#said(peer).isDiscouraged,
    }
  }

  #groupOf(peer: string): string | undefined {
    return ruledGroup(this.#said(peer).ip, this.#options.groupRules)
  }

  #peers(): string[] {
    return [...new Set(this.#entries.map(({ event }) => event.peer))]
  }

  /** What was said last of a peer. */
  #said(peer: string): Connected {
    const said = this.#entries.map(({ event }) => event).filter(event => event.type === 'connected')
    const last = said.findLast(event => event.peer === peer)
    if (last === undefined) throw new Error(`${peer} is not connected`)
    return last
  }

  #isPlain(peer: string): boolean {
    const last = this.#entries.findLast(
      ({ event }) => event.peer === peer && (event.type === 'plain' || event.type === 'greeted'),
    )
    return last?.event.type === 'plain'
  }

  #drop(peer: string, reason: string, drops: string[]): void {
    drops.push(`${peer} ${reason}`)
    this.#forget(peer)
  }

  #forget(peer: string): void {
    this.#entries = this.#entries.filter(({ event }) => event.peer !== peer)
  }
}
