/**
 * Probes: a pure machine that says when what inbound peers claim of their addresses goes into the book, and is tried.
 *
 * A node tells others only of endpoints that it has reached itself (`exchange.ts`). A peer that dialled us has not been
 * reached: what it says of its address may be wrong. So, a while after its handshake, the address is dialled once. The
 * connection is refused as a duplicate of the one that there is, and that is the proof.
 *
 * Rules:
 * - Nothing is done before `DELAY_MS` after the handshake: a connection that is younger would be taken for the other
 *   half of a race, and replaced (`doorman.ts`).
 * - One begins at most every `PAUSE_MS`. At most `PROBES_MAX` wait; further claims are forgotten.
 * - So are those of a peer that leaves.
 */
import assert from 'node:assert/strict'
import type { Endpoint, Group } from '../core/endpoint.ts'
import type { PeerId } from '../core/types.ts'

export type ProbesEvent =
  /** An inbound peer has shaken hands, and says that it listens there, the likeliest first. */
  | { type: 'claimed'; peer: PeerId; group: Group; endpoints: readonly Endpoint[] }
  | { type: 'closed'; peer: PeerId }
  | { type: 'tick' }

export interface Claims {
  readonly peer: PeerId
  /** Of the address that it came from. */
  readonly group: Group
  readonly endpoints: readonly Endpoint[]
}

export type ProbesAction = { type: 'probe'; claims: Claims }

export const PROBES_MAX = 256
export const DELAY_MS = 5_000
export const PAUSE_MS = 250

export class Probes {
  /** In the order of their claims, and so of their times. */
  readonly #waiting = new Map<PeerId, { readonly claims: Claims; readonly dueMs: number }>()
  #nextMs = 0

  handle(event: ProbesEvent, nowMs: number): ProbesAction[] {
    switch (event.type) {
      case 'claimed':
        if (this.#waiting.size < PROBES_MAX && !this.#waiting.has(event.peer)) {
          const { peer, group, endpoints } = event
          this.#waiting.set(peer, { claims: { peer, group, endpoints }, dueMs: nowMs + DELAY_MS })
        }
        return []
      case 'closed':
        this.#waiting.delete(event.peer)
        return []
      case 'tick':
        return this.#due(nowMs)
      default:
        return event satisfies never
    }
  }

  #due(nowMs: number): ProbesAction[] {
    const [first] = this.#waiting
    if (first === undefined || nowMs < this.#nextMs) return []
    const [peer, { claims, dueMs }] = first
    if (nowMs < dueMs) return []
    this.#waiting.delete(peer)
    this.#nextMs = nowMs + PAUSE_MS
    return [{ type: 'probe', claims }]
  }

  check(): void {
    assert.ok(this.#waiting.size <= PROBES_MAX)
    const times = [...this.#waiting.values()].map(({ dueMs }) => dueMs)
    assert.ok(times.every((dueMs, index) => index === 0 || dueMs >= (times[index - 1] ?? 0)))
  }
}
