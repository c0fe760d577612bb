/**
 * The naive twin of `Holds`, written from the rules in its header: one list of messages in order of arrival, one list
 * of peers in the order in which they came to have messages here, and everything else counted anew each time.
 */
import type { ExpiryReason, HoldAction, HoldEvent, HoldsOptions } from '../../src/gossip/holds.ts'

const IDS_MOST = 256
const CHARGE_PER_ID = 400

interface Waiter<T> {
  readonly key: string
  readonly from: string
  readonly message: T
  readonly charge: number
  readonly parkedAtMs: number
  missing: string[]
}

export class HoldsTwin<T> {
  readonly #options: Required<HoldsOptions>
  #waiters: Waiter<T>[] = []
  #line: string[] = []
  #actions: HoldAction<T>[] = []

  constructor(options: Required<HoldsOptions>) {
    this.#options = options
  }

  get heldCount(): number {
    return this.#waiters.length
  }

  get heldBytes(): number {
    return chargeOf(this.#waiters)
  }

  has(key: string): boolean {
    return this.#waiters.some(waiter => waiter.key === key)
  }

  handle(event: HoldEvent<T>, nowMs: number): HoldAction<T>[] {
    this.#actions = []
    if (event.type === 'parked') this.#onParked(event, nowMs)
    if (event.type === 'judged' && event.accepted) {
      const freed = this.#waiters.filter(({ missing }) => missing.every(id => id === event.key))
      for (const waiter of this.#waiters) waiter.missing = waiter.missing.filter(id => id !== event.key)
      for (const waiter of freed) this.#release(waiter)
    }
    if (event.type === 'tick')
      for (const waiter of this.#waiters.filter(one => nowMs - one.parkedAtMs >= this.#options.holdMs))
        this.#expire(waiter, 'time')
    if (event.type === 'close') {
      this.#waiters = []
      this.#line = []
    }
    return this.#actions
  }

  #onParked(event: Extract<HoldEvent<T>, { type: 'parked' }>, nowMs: number): void {
    const { key, from, sizeBytes, message } = event
    const missing = event.missing.filter((id, index) => event.missing.indexOf(id) === index)
    const charge = sizeBytes + missing.length * CHARGE_PER_ID
    const waiter = { key, from, message, charge, parkedAtMs: nowMs, missing }
    const { maxCount, maxBytes, perPeerMaxCount, perPeerMaxBytes } = this.#options
    if (missing.length === 0) return this.#release(waiter)
    if (missing.includes(key)) return this.#expire(waiter, 'self')
    if (missing.length > IDS_MOST || charge > maxBytes || charge > perPeerMaxBytes)
      return this.#expire(waiter, 'room')
    this.#waiters.push(waiter)
    if (!this.#line.includes(from)) this.#line.push(from)
    while (this.#of(from).length > perPeerMaxCount || chargeOf(this.#of(from)) > perPeerMaxBytes)
      this.#expireOldestOf(from)
    while (this.heldCount > maxCount || this.heldBytes > maxBytes) {
      const isOverBytes = this.heldBytes > maxBytes
      const loads = this.#line.map(peer => (isOverBytes ? chargeOf(this.#of(peer)) : this.#of(peer).length))
      this.#expireOldestOf(this.#line[loads.indexOf(Math.max(...loads))] as string)
    }
    if (this.has(key)) this.#actions.push({ type: 'want', from, ids: missing })
  }

  #of(peer: string): Waiter<T>[] {
    return this.#waiters.filter(({ from }) => from === peer)
  }

  #expireOldestOf(peer: string): void {
    this.#expire(this.#of(peer)[0] as Waiter<T>, 'room')
  }

  #release(waiter: Waiter<T>): void {
    this.#take(waiter)
    const { key, from, message } = waiter
    this.#actions.push({ type: 'release', message, from, key })
  }

  #expire(waiter: Waiter<T>, reason: ExpiryReason): void {
    this.#take(waiter)
    const { key, from, message } = waiter
    this.#actions.push({ type: 'expire', message, from, key, reason })
  }

  #take(waiter: Waiter<T>): void {
    this.#waiters = this.#waiters.filter(other => other !== waiter)
    this.#line = this.#line.filter(peer => this.#of(peer).length > 0)
  }
}

function chargeOf(waiters: readonly Waiter<unknown>[]): number {
  return waiters.reduce((sum, { charge }) => sum + charge, 0)
}
