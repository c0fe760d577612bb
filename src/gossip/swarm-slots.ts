/**
 * Which announced swarms may begin: a pure, bounded admission. Announcements cost their makers nothing, swarms cost
 * everyone memory and questions.
 *
 *   offered → parked → running → whole → accepted or ended
 *        └──────────────┘ └────────────────────┘
 *
 * Rules (design, section 11; each with the attack that it answers):
 * - At most `unfinishedMax` swarms run, of at most `bytesMax` announced bytes; `perSenderMax` of those that one peer was
 *   the first to announce, `perOriginMax` of one origin. What is beyond is refused, and not remembered: it may be offered
 *   again. Ten thousand announcements without a payload take the places of one sender.
 * - Of one header at most `perHeaderMax` run or are whole, and no two from the same origin or the same first sender.
 *   Others of that header are parked. One valid header under a thousand roots so costs two swarms at a time, and the true
 *   one, when it comes by another way, has a place at once or waits its turn. An empty header is no header: it is the same
 *   for all.
 * - The next of a header is one of the sender that has had the fewest turns with it, then the oldest: those of a sender
 *   that offers many wait behind those of a sender that offers one.
 * - At most `parkedMax` are parked, and `parkedPerSenderMax` of one header and sender, which loses its own oldest. When
 *   all is full the sender that has most parked loses its oldest (of equals the one whose oldest is older).
 * - A swarm is whole when its chunks are there: it is the verdict's bounds that hold it then, not these. Its header's
 *   place stays taken, since what is parked under it need not be fetched if it is accepted.
 * - Accepted: the message is here, so all else that claims its id is over, parked or running. What has the same header and
 *   another id is not: headers are the upper layer's, and nothing says that they are unique. It gets its turn, two at a
 *   time as before.
 * - A key that is over does not begin again for `endedTtlMs`, as far as `endedMax` of them reach (`core/seen.ts`). One that
 *   was pushed out while it was parked is not over.
 */
import assert from 'node:assert/strict'
import { messageKey } from '../core/hash.ts'
import { Seen } from '../core/seen.ts'
import type { PeerId, Topic } from '../core/types.ts'
import type { SwarmHead } from './announcement.ts'
import { digestOf } from './digest.ts'
import type { SwarmKey } from './swarm.ts'

export interface SwarmSlotsOptions {
  readonly unfinishedMax: number
  readonly perSenderMax: number
  readonly perOriginMax: number
  readonly perHeaderMax: number
  readonly bytesMax: number
  readonly parkedMax: number
  /** Of one header. */
  readonly parkedPerSenderMax: number
  readonly endedTtlMs: number
  /** At least 2. */
  readonly endedMax: number
}

export const SWARM_SLOTS: SwarmSlotsOptions = {
  unfinishedMax: 64,
  perSenderMax: 8,
  perOriginMax: 4,
  perHeaderMax: 2,
  bytesMax: 256 * 1_024 * 1_024,
  parkedMax: 256,
  parkedPerSenderMax: 4,
  endedTtlMs: 600_000,
  endedMax: 8_192,
}

/** An announced swarm. */
export interface SwarmOffer<T> {
  readonly key: SwarmKey
  readonly topic: Topic
  readonly head: SwarmHead
  /** Who announced it first. */
  readonly from: PeerId
  /** The caller's; given back when it may begin later. */
  readonly value: T
}

export type Admission =
  | { readonly type: 'begin' }
  /** Running, parked, or over. */
  | { readonly type: 'known' }
  | { readonly type: 'parked' }
  /** `room` and `bytes` are short for all, `sender` and `origin` for this one. */
  | { readonly type: 'refused'; readonly reason: 'sender' | 'origin' | 'room' | 'bytes' }

/** What became free when a message was accepted. */
export interface Accepted<T> {
  /** Swarms that ran for the same id: the caller ends them; their slots are free already. */
  readonly over: readonly SwarmKey[]
  readonly begin: readonly SwarmOffer<T>[]
}

interface Slot<T> {
  readonly offer: SwarmOffer<T>
  readonly header: string | undefined
  /** Of the topic: which message it claims to be. */
  readonly message: string
  isWhole: boolean
}

export class SwarmSlots<T> {
  readonly #options: SwarmSlotsOptions
  readonly #running = new Map<SwarmKey, Slot<T>>()
  /** Oldest first. */
  readonly #parked = new Map<SwarmKey, Slot<T>>()
  readonly #ended: Seen
  /** How often senders have had a turn with a header of which something is parked. */
  readonly #turns = new Map<string, Map<PeerId, number>>()

  constructor(options: SwarmSlotsOptions = SWARM_SLOTS) {
    assert.ok(options.perHeaderMax >= 1 && options.parkedMax >= 1 && options.parkedPerSenderMax >= 1)
    this.#options = options
    this.#ended = new Seen({ ttlMs: options.endedTtlMs, max: options.endedMax })
  }

  /** How many run, without those that are whole. */
  get unfinishedCount(): number {
    return this.#unfinished().length
  }

  get parkedCount(): number {
    return this.#parked.size
  }

  /** The announced bytes of those that run, without those that are whole. */
  get unfinishedBytes(): number {
    return bytesOf(this.#unfinished())
  }

  offer(offer: SwarmOffer<T>, nowMs: number): Admission {
    const { key, topic, head } = offer
    if (this.#running.has(key) || this.#parked.has(key) || this.#ended.has(key, nowMs))
      return { type: 'known' }
    if (head.sizeBytes > this.#options.bytesMax) return { type: 'refused', reason: 'bytes' }
    const message = topic + messageKey(head.id)
    const header = head.header.byteLength === 0 ? undefined : topic + messageKey(digestOf(head.header))
    const slot: Slot<T> = { offer, header, message, isWhole: false }
    if (!this.#hasHeaderRoom(slot)) {
      this.#park(slot)
      return { type: 'parked' }
    }
    const reason = this.#lacking(slot)
    if (reason !== undefined) return { type: 'refused', reason }
    this.#begin(slot)
    return { type: 'begin' }
  }

  /** All chunks are there. */
  complete(key: SwarmKey): void {
    const slot = this.#running.get(key)
    if (slot !== undefined) slot.isWhole = true
  }

  /** The message was accepted: its swarm and all others of that message are over. */
  accepted(key: SwarmKey, nowMs: number): Accepted<T> {
    const message = this.#running.get(key)?.message
    const over: SwarmKey[] = []
    for (const slots of [this.#running, this.#parked]) {
      for (const [other, slot] of slots) {
        if (slot.message !== message) continue
        slots.delete(other)
        this.#ended.add(other, nowMs)
        if (slots === this.#running && other !== key) over.push(other)
      }
    }
    return { over, begin: this.#beginParked() }
  }

  /** It was given up: rejected, expired, stalled. @returns what was parked and begins now */
  ended(key: SwarmKey, nowMs: number): SwarmOffer<T>[] {
    this.#running.delete(key)
    this.#parked.delete(key)
    this.#ended.add(key, nowMs)
    return this.#beginParked()
  }

  /** Whether one that is parked could begin if this one ended: then it need not be waited for as long. */
  stalledWithRivals(key: SwarmKey): boolean {
    const slot = this.#running.get(key)
    if (slot?.header === undefined) return false
    return this.#startable(slot).some(({ header }) => header === slot.header)
  }

  #unfinished(): Slot<T>[] {
    return [...this.#running.values()].filter(({ isWhole }) => !isWhole)
  }

  #hasHeaderRoom({ header, offer }: Slot<T>, without?: Slot<T>): boolean {
    if (header === undefined) return true
    const rivals = [...this.#running.values()].filter(other => other.header === header && other !== without)
    const isAlike = rivals.some(
      rival => rival.offer.from === offer.from || rival.offer.head.origin === offer.head.origin,
    )
    return rivals.length < this.#options.perHeaderMax && !isAlike
  }

  /** What there is too little of for one more. */
  #lacking(
    { offer: { from, head } }: Slot<T>,
    without?: Slot<T>,
  ): 'sender' | 'origin' | 'room' | 'bytes' | undefined {
    const unfinished = this.#unfinished().filter(other => other !== without)
    const { perSenderMax, perOriginMax, unfinishedMax, bytesMax } = this.#options
    if (unfinished.filter(({ offer }) => offer.from === from).length >= perSenderMax) return 'sender'
    if (unfinished.filter(({ offer }) => offer.head.origin === head.origin).length >= perOriginMax)
      return 'origin'
    if (unfinished.length >= unfinishedMax) return 'room'
    return bytesOf(unfinished) + head.sizeBytes > bytesMax ? 'bytes' : undefined
  }

  #begin(slot: Slot<T>): void {
    const { key, from } = slot.offer
    this.#parked.delete(key)
    this.#running.set(key, slot)
    if (slot.header === undefined) return
    const turns = this.#turns.get(slot.header) ?? new Map<PeerId, number>()
    this.#turns.set(slot.header, turns)
    turns.set(from, (turns.get(from) ?? 0) + 1)
  }

  #park(slot: Slot<T>): void {
    const { key, from } = slot.offer
    this.#parked.set(key, slot)
    const own = [...this.#parked.values()].filter(
      ({ offer, header }) => offer.from === from && header === slot.header,
    )
    if (own.length > this.#options.parkedPerSenderMax) this.#parked.delete(own[0]?.offer.key ?? key)
    if (this.#parked.size > this.#options.parkedMax) this.#dropOfFullest()
  }

  #dropOfFullest(): void {
    const loads = new Map<PeerId, { count: number; oldest: SwarmKey }>()
    for (const [key, { offer }] of this.#parked) {
      const load = loads.get(offer.from) ?? { count: 0, oldest: key }
      load.count++
      loads.set(offer.from, load)
    }
    // The sort is stable, and those whose oldest is older come first.
    const fullest = [...loads.values()].sort((one, other) => other.count - one.count)[0]
    assert.ok(fullest !== undefined)
    this.#parked.delete(fullest.oldest)
  }

  /** What is parked and could begin, were it the only one; in the order of turns. @param without as if it had ended */
  #startable(without?: Slot<T>): Slot<T>[] {
    const fits = (slot: Slot<T>): boolean =>
      this.#hasHeaderRoom(slot, without) && this.#lacking(slot, without) === undefined
    return [...this.#parked.values()]
      .filter(fits)
      .sort((one, other) => this.#turnsOf(one) - this.#turnsOf(other))
  }

  #turnsOf({ header = '', offer }: Slot<T>): number {
    return this.#turns.get(header)?.get(offer.from) ?? 0
  }

  #beginParked(): SwarmOffer<T>[] {
    const begun: SwarmOffer<T>[] = []
    for (let [next] = this.#startable(); next !== undefined; [next] = this.#startable()) {
      this.#begin(next)
      begun.push(next.offer)
    }
    this.#forgetTurns()
    return begun
  }

  /** Turns count as long as anything of the header is here. */
  #forgetTurns(): void {
    const headers = new Set([...this.#running.values(), ...this.#parked.values()].map(({ header }) => header))
    for (const header of this.#turns.keys()) if (!headers.has(header)) this.#turns.delete(header)
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    const { unfinishedMax, bytesMax, perSenderMax, perOriginMax, perHeaderMax, parkedMax } = this.#options
    const running = [...this.#running.values()]
    const parked = [...this.#parked.values()]
    const unfinished = this.#unfinished()
    assert.ok(unfinished.length <= unfinishedMax && bytesOf(unfinished) <= bytesMax)
    assert.ok(parked.length <= parkedMax)
    assert.ok(mostAlike(unfinished, ({ offer }) => offer.from) <= perSenderMax)
    assert.ok(mostAlike(unfinished, ({ offer }) => offer.head.origin) <= perOriginMax)
    const headed = running.filter(({ header }) => header !== undefined)
    assert.ok(mostAlike(headed, ({ header }) => `${header}`) <= perHeaderMax)
    assert.ok(mostAlike(headed, ({ header, offer }) => `${header} ${offer.from}`) <= 1)
    assert.ok(mostAlike(headed, ({ header, offer }) => `${header} ${offer.head.origin}`) <= 1)
    const most = mostAlike(parked, ({ header, offer }) => `${header} ${offer.from}`)
    assert.ok(most <= this.#options.parkedPerSenderMax)
    for (const key of this.#parked.keys()) assert.ok(!this.#running.has(key), 'parked and running')
  }
}

function bytesOf(slots: readonly Slot<unknown>[]): number {
  return slots.reduce((sum, { offer }) => sum + offer.head.sizeBytes, 0)
}

/** How many of a list have the same name, at most. */
function mostAlike<S>(list: readonly S[], nameOf: (one: S) => string): number {
  const counts = new Map<string, number>()
  for (const one of list) counts.set(nameOf(one), (counts.get(nameOf(one)) ?? 0) + 1)
  return Math.max(0, ...counts.values())
}
