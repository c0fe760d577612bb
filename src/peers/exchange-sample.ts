/**
 * The sample: a pure machine that holds the addresses which this node tells, the same for everyone who asks.
 *
 * Rules:
 * - It is drawn from the endpoints that this node itself has reached within 30 days: hearsay is never passed on, so that
 *   nobody can spread addresses through us.
 * - It holds 23 % of them and at most 250, as in Bitcoin, but not fewer than 32 while there are so many: who asks once
 *   learns a part of the book, and who asks with a thousand identities learns no more, for the sample stays for 24 hours.
 *   With a sample for each asker, a few hundred identities would read the whole book, and with it whom we talk to.
 * - A young network must not freeze on a sample of three: it is drawn anew when twice as many endpoints have been
 *   reached, and while fewer than 32 are, after 10 s. No more often than that is the book looked through at all.
 * - Private, loopback and other unroutable addresses are left out. Where private addresses count (`groupRules:
 *   routable`) they are in it, but not those that no host can have.
 * - Banned and discouraged ones are left out, also when they have become so after the sample was drawn.
 */
import assert from 'node:assert/strict'
import { type Endpoint, type GroupRules, isRoutable, isUsable, parseEndpoint } from '../core/endpoint.ts'
import type { RandomSource } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import { ANSWER_MAX, type Entry, entryOf } from './exchange-message.ts'
import type { AddressInfo } from './view.ts'

export interface SampleParts {
  /** The endpoints of the book that this node has reached since then; both in wall milliseconds. */
  reached(sinceMs: number, wallMs: number): readonly AddressInfo[]
  /** Neither banned nor discouraged. */
  mayTell(endpoint: Endpoint): boolean
  readonly groupRules: GroupRules
  readonly random: RandomSource
}

/** An address that may be told. */
export interface Tellable {
  readonly endpoint: Endpoint
  /** Who is there. */
  readonly peer: PeerId | undefined
  readonly entry: Entry
}

/** With fewer reached endpoints than this the network is young: all are told, and soon again. */
export const SAMPLE_MIN = 32

const SHARE = 0.23
const REACHED_WITHIN_MS = 30 * 86_400_000
const LIFETIME_MS = 86_400_000
const PAUSE_MS = 10_000

export class Sample {
  readonly #parts: SampleParts
  #entries: readonly Tellable[] = []
  /** How many endpoints it was drawn from. */
  #drawnFrom = 0
  #drawnAtMs = Number.NEGATIVE_INFINITY
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(parts: SampleParts) {
    this.#parts = parts
  }

  /** What may be told now, in the same order for everyone. */
  entries(nowMs: number, wallMs: number): readonly Tellable[] {
    if (nowMs - this.#lookedAtMs >= PAUSE_MS) this.#look(nowMs, wallMs)
    return this.#entries.filter(({ endpoint }) => this.#parts.mayTell(endpoint))
  }

  #look(nowMs: number, wallMs: number): void {
    this.#lookedAtMs = nowMs
    const { reached, mayTell, groupRules } = this.#parts
    const candidates = reached(wallMs - REACHED_WITHIN_MS, wallMs).filter(
      ({ endpoint }) => isCarried(endpoint, groupRules) && mayTell(endpoint),
    )
    const isOld = nowMs - this.#drawnAtMs >= LIFETIME_MS
    const isYoung = this.#drawnFrom < SAMPLE_MIN
    if (isOld || isYoung || candidates.length >= 2 * this.#drawnFrom) this.#draw(candidates, nowMs)
  }

  #draw(candidates: readonly AddressInfo[], nowMs: number): void {
    const size = Math.min(ANSWER_MAX, Math.max(SAMPLE_MIN, Math.floor(candidates.length * SHARE)))
    const rest = [...candidates]
    const entries: Tellable[] = []
    while (entries.length < size && rest.length > 0) {
      const index = Math.floor(this.#parts.random() * rest.length)
      const last = rest.pop()
      const drawn = rest[index] ?? last
      if (drawn === undefined || last === undefined) break
      if (index < rest.length) rest[index] = last
      entries.push(tellable(drawn))
    }
    this.#entries = entries
    this.#drawnFrom = candidates.length
    this.#drawnAtMs = nowMs
  }

  check(): void {
    assert.ok(this.#entries.length <= ANSWER_MAX)
    assert.ok(this.#entries.length <= Math.max(SAMPLE_MIN, this.#drawnFrom * SHARE))
    assert.equal(new Set(this.#entries.map(({ endpoint }) => endpoint)).size, this.#entries.length)
  }
}

function tellable({ endpoint, peer, lastSuccessMs }: AddressInfo): Tellable {
  // Ten minutes and no finer: who is connected with whom at this moment is nobody's business.
  return { endpoint, peer, entry: entryOf(endpoint, Math.floor(lastSuccessMs / 600_000) * 600) }
}

/** Whether an endpoint may be passed on at all, whoever it is. */
export function isCarried(endpoint: Endpoint, rules: GroupRules): boolean {
  const ip = parseEndpoint(endpoint)?.ip ?? ''
  return rules === 'all' ? isRoutable(ip) : isUsable(ip)
}
