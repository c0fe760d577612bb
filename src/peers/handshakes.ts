/**
 * Handshakes: the actor of hello and goodbye. `greeting.ts` decides, here frames are sent and served.
 */
import type { DropReason } from '../core/drops.ts'
import { endpointOf } from '../core/endpoint.ts'
import { FloodgateError } from '../core/errors.ts'
import type { Offence } from '../core/offences.ts'
import type { Clock, Host, Log } from '../core/ports.ts'
import type { Direction, PeerId } from '../core/types.ts'
import { GOODBYE_LIMITS, goodbyeOf, goodbyeProtocol, readGoodbye } from './goodbye.ts'
import { type GreetingAction, type GreetingEvent, Greetings } from './greeting.ts'
import {
  CAPABILITIES,
  HELLO_LIMITS,
  type Hello,
  helloOf,
  helloProtocol,
  NONCE_BYTES,
  readHello,
} from './hello.ts'

export interface HandshakesOptions {
  readonly network: string
  readonly interop: boolean
  readonly agent: string
  /** Whether this node takes part in the address exchange. */
  readonly exchange: boolean
}

export interface HandshakesParts {
  readonly host: Host
  readonly clock: Clock
  readonly log: Log
}

export interface HandshakesEvents {
  greeted(peer: PeerId, hello: Hello): void
  /** It speaks none of our protocols. */
  plain(peer: PeerId): void
  drop(peer: PeerId, reason: DropReason, detail: string): void
  offence(peer: PeerId, offence: Offence, detail: string): void
  /** It belongs to another network. */
  estranged(peer: PeerId): void
  /** It says why it is going to close the connection. */
  goodbye(peer: PeerId, reason: DropReason | 'unknown'): void
}

/** From the opening of a connection to the end of the handshake. */
const HELLO_TIMEOUT_MS = 5_000

export class Handshakes {
  readonly #options: HandshakesOptions
  readonly #parts: HandshakesParts
  readonly #events: HandshakesEvents
  readonly #greetings: Greetings
  readonly #nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))

  constructor(options: HandshakesOptions, parts: HandshakesParts, events: HandshakesEvents) {
    this.#options = options
    this.#parts = parts
    this.#events = events
    const { network, interop } = options
    const self = parts.host.peer
    this.#greetings = new Greetings({
      network,
      self,
      nonce: this.#nonce,
      interop,
      helloTimeoutMs: HELLO_TIMEOUT_MS,
    })
    parts.host.serve(helloProtocol(network), HELLO_LIMITS, async (peer, frame) => {
      this.#onHello(peer, frame, false)
      return this.#ownHello()
    })
    parts.host.serve(goodbyeProtocol(network), GOODBYE_LIMITS, async (peer, frame) => {
      this.#onGoodbye(peer, frame)
      return undefined
    })
  }

  connected(peer: PeerId, direction: Direction): void {
    this.#feed({ type: 'connected', peer, direction })
  }

  identified(peer: PeerId, protocols: readonly string[]): void {
    this.#feed({ type: 'identified', peer, protocols })
  }

  disconnected(peer: PeerId): void {
    this.#feed({ type: 'closed', peer })
  }

  tick(): void {
    this.#feed({ type: 'tick' })
  }

  /** Tells a peer why it is left; resolves when it knows, or cannot be told. */
  async leave(peer: PeerId, reason: DropReason): Promise<void> {
    if (this.#greetings.stateOf(peer) !== 'done') return
    const protocol = goodbyeProtocol(this.#options.network)
    // A peer that does not listen any more will notice the end of the connection.
    await this.#parts.host.request(peer, protocol, goodbyeOf(reason), GOODBYE_LIMITS).catch(() => {})
  }

  #ownHello(): Uint8Array {
    const { network, agent, exchange } = this.#options
    const capabilities = CAPABILITIES.filter(name => exchange || !name.startsWith('pex/'))
    const addresses = this.#parts.host.addresses().flatMap(address => endpointOf(address) ?? [])
    return helloOf({ network, agent, addresses, capabilities, nonce: this.#nonce })
  }

  #feed(event: GreetingEvent): void {
    for (const action of this.#greetings.handle(event, this.#parts.clock.nowMs())) this.#run(action)
  }

  #run(action: GreetingAction): void {
    const { peer } = action
    switch (action.type) {
      case 'greet':
        void this.#greet(peer)
        return
      case 'greeted':
        this.#events.greeted(peer, action.hello)
        return
      case 'plain':
        this.#events.plain(peer)
        return
      case 'drop':
        this.#events.drop(peer, action.reason, action.detail)
        return
      case 'offence':
        this.#events.offence(peer, action.offence, action.detail)
        return
      case 'estranged':
        this.#events.estranged(peer)
        return
      default:
        action satisfies never
    }
  }

  async #greet(peer: PeerId): Promise<void> {
    const protocol = helloProtocol(this.#options.network)
    try {
      const answer = await this.#parts.host.request(peer, protocol, this.#ownHello(), HELLO_LIMITS)
      // A peer that stops may end the stream without a word; one that does not speak runs into the deadline.
      if (answer.byteLength > 0) this.#onHello(peer, answer, true)
    } catch (error) {
      const isUnsupported = error instanceof FloodgateError && error.code === 'PROTOCOL'
      if (isUnsupported) this.#feed({ type: 'unsupported', peer })
      else this.#parts.log.debug('a hello was not answered', { peer, reason: (error as Error).message })
    }
  }

  #onHello(peer: PeerId, frame: Uint8Array, isAnswer: boolean): void {
    const { value: hello, problem } = readHello(frame)
    if (hello === undefined) this.#feed({ type: 'malformed', peer, detail: `its hello: ${problem}` })
    else this.#feed({ type: 'hello', peer, hello, isAnswer })
  }

  #onGoodbye(peer: PeerId, frame: Uint8Array): void {
    const { value: reason, problem } = readGoodbye(frame)
    if (reason === undefined) this.#events.offence(peer, 'malformed', `its goodbye: ${problem}`)
    else this.#events.goodbye(peer, reason)
  }
}
