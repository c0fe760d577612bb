/**
 * The connector: a pure machine that keeps wanted addresses connected, and says whom to dial when.
 *
 *   waiting → dialling → connected → waiting …
 *
 * Rules:
 * - A wanted address is dialled at once, and after each failure or loss again, with a pause that doubles from
 *   `redialMinMs` to `redialMaxMs` and is spread by half of it: nodes that lost the same peer must not all come
 *   back in the same second.
 * - A connection that stood for `redialMaxMs` has proved the address good: the pause starts small again. Why not
 *   on every success: a peer that accepts and closes at once would be dialled twice a second for ever.
 * - Several addresses of one peer share its connection.
 * - Wanting an address twice is wanting it once: a dial that is under way is not begun again.
 */
import assert from 'node:assert/strict'
import type { RandomSource } from '../core/ports.ts'
import type { Address, PeerId } from '../core/types.ts'

export interface ConnectorOptions {
  readonly redialMinMs: number
  readonly redialMaxMs: number
}

export type ConnectorEvent =
  /** `peer`: the one that was reached there a moment ago, if somebody has dialled it already. */
  | { type: 'want'; address: Address; peer?: PeerId }
  | { type: 'forget'; peer: PeerId }
  | { type: 'dialled'; address: Address; peer: PeerId }
  | { type: 'failed'; address: Address }
  | { type: 'connected'; peer: PeerId }
  | { type: 'disconnected'; peer: PeerId }
  | { type: 'tick' }

export type ConnectorAction = { type: 'dial'; address: Address }

/** How many addresses can be wanted; further ones are refused by `want`'s caller (`peers.ts`). */
export const WANTED_MAX = 1_000

interface Wanted {
  readonly address: Address
  /** The peer at the address: known from its `/p2p/` part, or once it was reached. */
  peer: PeerId | undefined
  state: 'waiting' | 'dialling' | 'connected'
  failures: number
  dialAtMs: number
  sinceMs: number
}

export class Connector {
  readonly #options: ConnectorOptions
  readonly #random: RandomSource
  readonly #wanted = new Map<Address, Wanted>()
  readonly #peers = new Set<PeerId>()

  constructor(options: ConnectorOptions, random: RandomSource) {
    assert.ok(options.redialMinMs > 0 && options.redialMinMs <= options.redialMaxMs)
    this.#options = options
    this.#random = random
  }

  get isFull(): boolean {
    return this.#wanted.size >= WANTED_MAX
  }

  /** Whether one of the addresses that are kept connected is this peer's. */
  isKept(peer: PeerId): boolean {
    return this.#of(peer).length > 0
  }

  handle(event: ConnectorEvent, nowMs: number): ConnectorAction[] {
    switch (event.type) {
      case 'want':
        this.#onWant(event, nowMs)
        break
      case 'forget':
        for (const wanted of this.#of(event.peer)) this.#wanted.delete(wanted.address)
        break
      case 'dialled': {
        const wanted = this.#wanted.get(event.address)
        if (wanted !== undefined) wanted.peer = event.peer
        this.#onConnected(event.peer, nowMs)
        break
      }
      case 'failed': {
        const wanted = this.#wanted.get(event.address)
        if (wanted?.state === 'dialling') this.#pause(wanted, nowMs)
        break
      }
      case 'connected':
        this.#onConnected(event.peer, nowMs)
        break
      case 'disconnected':
        this.#onDisconnected(event.peer, nowMs)
        break
      case 'tick':
        break
    }
    return this.#due(nowMs)
  }

  #onWant(event: Extract<ConnectorEvent, { type: 'want' }>, nowMs: number): void {
    const { address } = event
    const known = this.#wanted.get(address)
    if (known === undefined && this.isFull) return
    const wanted = known ?? newlyWanted(address, nowMs)
    this.#wanted.set(address, wanted)
    wanted.peer = event.peer ?? wanted.peer
    const isConnected = wanted.peer !== undefined && this.#peers.has(wanted.peer)
    if (isConnected === (wanted.state === 'connected')) return
    if (!isConnected) wanted.dialAtMs = nowMs
    wanted.state = isConnected ? 'connected' : 'waiting'
    wanted.sinceMs = nowMs
  }

  #onConnected(peer: PeerId, nowMs: number): void {
    this.#peers.add(peer)
    for (const wanted of this.#of(peer)) {
      if (wanted.state === 'connected') continue
      wanted.state = 'connected'
      wanted.sinceMs = nowMs
    }
  }

  #onDisconnected(peer: PeerId, nowMs: number): void {
    this.#peers.delete(peer)
    for (const wanted of this.#of(peer)) {
      if (wanted.state !== 'connected') continue
      if (nowMs - wanted.sinceMs >= this.#options.redialMaxMs) wanted.failures = 0
      this.#pause(wanted, nowMs)
    }
  }

  #pause(wanted: Wanted, nowMs: number): void {
    const { redialMinMs, redialMaxMs } = this.#options
    const pauseMs = Math.min(redialMaxMs, redialMinMs * 2 ** wanted.failures)
    wanted.failures++
    wanted.state = 'waiting'
    wanted.dialAtMs = nowMs + pauseMs * (0.75 + this.#random() / 2)
  }

  #due(nowMs: number): ConnectorAction[] {
    const actions: ConnectorAction[] = []
    for (const wanted of this.#wanted.values()) {
      if (wanted.state !== 'waiting' || wanted.dialAtMs > nowMs) continue
      wanted.state = 'dialling'
      actions.push({ type: 'dial', address: wanted.address })
    }
    return actions
  }

  #of(peer: PeerId): Wanted[] {
    return [...this.#wanted.values()].filter(wanted => wanted.peer === peer)
  }

  check(): void {
    assert.ok(this.#wanted.size <= WANTED_MAX)
    for (const wanted of this.#wanted.values()) {
      const isConnected = wanted.peer !== undefined && this.#peers.has(wanted.peer)
      assert.equal(wanted.state === 'connected', isConnected, `${wanted.address} is ${wanted.state}`)
    }
  }
}

function newlyWanted(address: Address, nowMs: number): Wanted {
  const peer = /\/p2p\/([^/]+)$/.exec(address)?.[1]
  return { address, peer, state: 'waiting', failures: 0, dialAtMs: nowMs, sinceMs: nowMs }
}
