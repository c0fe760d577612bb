/**
 * Greetings: a pure machine that shakes hands with every connected peer, and says who is one of ours.
 *
 *   pending → done       its hello came, and fits
 *   pending → plain      it speaks none of our protocols; a gossip peer, while `interop` is on
 *   pending → leaving    all else: it is dropped, and nothing that it says matters any more
 *   plain   → done       it has begun to speak them
 *
 * Rules:
 * - Whoever has dialled sends its hello at once, and the other side answers with its own. For each connection a peer may
 *   send one hello that is no answer; one more is an offence, since it could only be meant to change what others rely
 *   on. Why answers do not count: two nodes that dial each other at the same moment may do it all on one connection.
 * - Five seconds after the connection has opened the peer is `done`, or `plain`, or it is dropped: until then its gossip
 *   waits in our memory.
 * - Another network is noticed twice: in the hello, and by the protocols that a peer names in identify. It is dropped,
 *   and its endpoint is remembered as such (`estranged`).
 * - A hello with our own nonce is ourselves, at another address. One with our peer id and another nonce is a copy of our
 *   identity in another process: peers cannot tell the two apart, so they may not be connected with each other.
 * - That a peer does not speak our hello is believed when identify says so. When only our request says so, the end of
 *   the five seconds is waited for, because identify can still tell to which network the peer belongs.
 * - A hello can come before the host has told of its connection; it waits for that, as long as a handshake may take.
 * - At most `GREETINGS_MAX` peers are followed, more than a node has connections; further ones are dropped as `full`.
 */
import assert from 'node:assert/strict'
import type { DropReason } from '../core/drops.ts'
import type { Direction, PeerId } from '../core/types.ts'
import { commonVersion, type Hello } from './hello.ts'

export interface GreetingOptions {
  readonly network: string
  readonly self: PeerId
  /** Our own, of this process. */
  readonly nonce: Uint8Array
  /** Whether peers that do not speak our protocols may stay. */
  readonly interop: boolean
  readonly helloTimeoutMs: number
}

export type GreetingEvent =
  /** A connection has opened. A peer can have a second one for a moment. */
  | { type: 'connected'; peer: PeerId; direction: Direction }
  /** A peer's hello: the answer to ours, or one to be answered. */
  | { type: 'hello'; peer: PeerId; hello: Hello; isAnswer: boolean }
  /** A frame that is no hello came in its place. */
  | { type: 'malformed'; peer: PeerId; detail: string }
  /** Our request was answered with: no such protocol. */
  | { type: 'unsupported'; peer: PeerId }
  /** identify has told which protocols a peer speaks. */
  | { type: 'identified'; peer: PeerId; protocols: readonly string[] }
  /** Its last connection has closed. */
  | { type: 'closed'; peer: PeerId }
  | { type: 'tick' }

export type GreetingDrop = Extract<
  DropReason,
  'network' | 'version' | 'self' | 'handshake' | 'plain' | 'full'
>

export type GreetingAction =
  /** Our hello is to be sent now. */
  | { type: 'greet'; peer: PeerId }
  /** The handshake is done. */
  | { type: 'greeted'; peer: PeerId; hello: Hello; version: number }
  /** It stays as a gossip peer without our protocols. */
  | { type: 'plain'; peer: PeerId }
  | { type: 'drop'; peer: PeerId; reason: GreetingDrop; detail: string }
  | { type: 'offence'; peer: PeerId; offence: 'handshake'; detail: string }
  /** It belongs to another network: where it was reached, there is none of ours. */
  | { type: 'estranged'; peer: PeerId }

/** How many peers are followed. */
export const GREETINGS_MAX = 10_000

interface Greeting {
  /** `early`: its hello was there before its connection. */
  state: 'early' | 'pending' | 'done' | 'plain' | 'leaving'
  readonly sinceMs: number
  /** How many hellos it may still send that are no answers. */
  hellosLeft: number
  /** Our request was refused, and identify has said nothing yet. */
  isRefused: boolean
  early: Hello | undefined
}

export class Greetings {
  readonly #options: GreetingOptions
  readonly #greetings = new Map<PeerId, Greeting>()

  constructor(options: GreetingOptions) {
    assert.ok(options.helloTimeoutMs > 0)
    this.#options = options
  }

  get size(): number {
    return this.#greetings.size
  }

  /** How far a peer is; undefined for one that is not connected. */
  stateOf(peer: PeerId): 'pending' | 'done' | 'plain' | 'leaving' | undefined {
    const state = this.#greetings.get(peer)?.state
    return state === 'early' ? undefined : state
  }

  handle(event: GreetingEvent, nowMs: number): GreetingAction[] {
    switch (event.type) {
      case 'connected':
        return this.#onConnected(event.peer, event.direction, nowMs)
      case 'hello':
        return this.#onHello(event, nowMs)
      case 'malformed':
        return this.#onMalformed(event.peer, event.detail)
      case 'unsupported': {
        const greeting = this.#greetings.get(event.peer)
        if (greeting !== undefined) greeting.isRefused = true
        return []
      }
      case 'identified':
        return this.#onIdentified(event.peer, event.protocols)
      case 'closed':
        this.#greetings.delete(event.peer)
        return []
      case 'tick':
        return this.#onTick(nowMs)
      default:
        return event satisfies never
    }
  }

  #onConnected(peer: PeerId, direction: Direction, nowMs: number): GreetingAction[] {
    const known = this.#greetings.get(peer)
    if (known === undefined && this.size >= GREETINGS_MAX) {
      return [{ type: 'drop', peer, reason: 'full', detail: `more than ${GREETINGS_MAX} peers` }]
    }
    if (known?.state === 'leaving') return []
    const greet: GreetingAction[] = direction === 'outbound' ? [{ type: 'greet', peer }] : []
    if (known !== undefined && known.state !== 'early') {
      known.hellosLeft++
      return greet
    }
    const greeting = newGreeting('pending', nowMs)
    this.#greetings.set(peer, greeting)
    if (known?.early === undefined) return greet
    greeting.hellosLeft--
    return [...greet, ...this.#judge(peer, greeting, known.early)]
  }

  #onHello(
    { peer, hello, isAnswer }: Extract<GreetingEvent, { type: 'hello' }>,
    nowMs: number,
  ): GreetingAction[] {
    const greeting = this.#greetings.get(peer)
    if (greeting === undefined) {
      if (!isAnswer && this.size < GREETINGS_MAX) {
        this.#greetings.set(peer, { ...newGreeting('early', nowMs), hellosLeft: 0, early: hello })
      }
      return []
    }
    if (greeting.state === 'leaving') return []
    if (!isAnswer) {
      if (greeting.hellosLeft === 0) return [offence(peer, 'a second hello')]
      greeting.hellosLeft--
    }
    return greeting.state === 'early' ? [] : this.#judge(peer, greeting, hello)
  }

  #judge(peer: PeerId, greeting: Greeting, hello: Hello): GreetingAction[] {
    const { network, self, nonce } = this.#options
    if (hello.nonce.every((byte, index) => byte === nonce[index])) {
      return this.#drop(peer, greeting, 'self', 'its nonce is ours')
    }
    if (peer === self) return this.#drop(peer, greeting, 'self', 'another process has our identity')
    if (hello.network !== network) return this.#estrange(peer, greeting)
    const version = commonVersion(hello)
    if (version === undefined) {
      return this.#drop(peer, greeting, 'version', `it speaks ${hello.versions.join(', ') || 'none'}`)
    }
    if (greeting.state === 'done') return []
    greeting.state = 'done'
    return [{ type: 'greeted', peer, hello, version }]
  }

  #onMalformed(peer: PeerId, detail: string): GreetingAction[] {
    const greeting = this.#greetings.get(peer)
    const blame = offence(peer, detail)
    if (greeting?.state === 'leaving' || greeting?.state === 'done') return [blame]
    if (greeting === undefined || greeting.state === 'early') {
      // There is nothing to close that we know of, and so nothing that would end the record.
      this.#greetings.delete(peer)
      return [blame, { type: 'drop', peer, reason: 'handshake', detail }]
    }
    return [blame, ...this.#drop(peer, greeting, 'handshake', detail)]
  }

  #onIdentified(peer: PeerId, protocols: readonly string[]): GreetingAction[] {
    const greeting = this.#greetings.get(peer)
    if (greeting?.state !== 'pending') return []
    switch (kindOf(protocols, this.#options.network)) {
      case 'ours':
        return []
      case 'version':
        return this.#drop(peer, greeting, 'version', 'it speaks other versions of the handshake')
      case 'network':
        return this.#estrange(peer, greeting)
      case 'plain':
        return this.#plain(peer, greeting)
    }
  }

  #onTick(nowMs: number): GreetingAction[] {
    const actions: GreetingAction[] = []
    for (const [peer, greeting] of this.#greetings) {
      if (nowMs - greeting.sinceMs < this.#options.helloTimeoutMs) continue
      if (greeting.state === 'early') this.#greetings.delete(peer)
      if (greeting.state !== 'pending') continue
      actions.push(
        ...(greeting.isRefused
          ? this.#plain(peer, greeting)
          : this.#drop(peer, greeting, 'handshake', 'no hello in time')),
      )
    }
    return actions
  }

  #plain(peer: PeerId, greeting: Greeting): GreetingAction[] {
    if (!this.#options.interop) return this.#drop(peer, greeting, 'plain', '`interop` is off')
    greeting.state = 'plain'
    return [{ type: 'plain', peer }]
  }

  #estrange(peer: PeerId, greeting: Greeting): GreetingAction[] {
    return [{ type: 'estranged', peer }, ...this.#drop(peer, greeting, 'network', 'it is of another network')]
  }

  #drop(peer: PeerId, greeting: Greeting, reason: GreetingDrop, detail: string): GreetingAction[] {
    greeting.state = 'leaving'
    return [{ type: 'drop', peer, reason, detail }]
  }

  check(): void {
    assert.ok(this.size <= GREETINGS_MAX)
    for (const { state, early, hellosLeft } of this.#greetings.values()) {
      assert.equal(state === 'early', early !== undefined)
      assert.ok(hellosLeft >= 0)
    }
  }
}

function newGreeting(state: Greeting['state'], sinceMs: number): Greeting {
  return { state, sinceMs, hellosLeft: 1, isRefused: false, early: undefined }
}

function offence(peer: PeerId, detail: string): GreetingAction {
  return { type: 'offence', peer, offence: 'handshake', detail }
}

/** What the protocols of a peer say about it. `version`: it is of our network, but has only other hellos than ours. */
function kindOf(protocols: readonly string[], network: string): 'ours' | 'version' | 'network' | 'plain' {
  const ours = protocols.filter(protocol => protocol.startsWith(`/floodgate/${network}/`))
  if (ours.includes(`/floodgate/${network}/hello/1`)) return 'ours'
  if (ours.some(protocol => /^\/floodgate\/[^/]+\/hello\//.test(protocol))) return 'version'
  if (ours.length > 0) return 'plain'
  return protocols.some(protocol => /^\/floodgate\/[^/]+\//.test(protocol)) ? 'network' : 'plain'
}
