/**
 * The actor of the address exchange: `exchange.ts` decides, here questions are sent and served.
 */
import type { GroupRules } from '../core/endpoint.ts'
import { FloodgateError } from '../core/errors.ts'
import type { Offence } from '../core/offences.ts'
import type { Clock, Host, ProtocolLimits, RandomSource } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import type { AddressBook, Heard } from './address-book.ts'
import { Exchange, type ExchangeAction, type ExchangeEvent } from './exchange.ts'
import {
  ANSWER_MAX_BYTES,
  EXCHANGE_TIMEOUT_MS,
  exchangeProtocol,
  QUESTION_MAX_BYTES,
} from './exchange-message.ts'
import type { Member } from './roster.ts'
import type { Welcome } from './welcome.ts'

export interface ExchangesParts {
  readonly network: string
  readonly groupRules: GroupRules
  readonly host: Host
  readonly clock: Clock
  readonly random: RandomSource
  readonly book: AddressBook
  readonly welcome: Welcome
}

export interface ExchangesEvents {
  learned(heard: readonly Heard[]): void
  offence(peer: PeerId, offence: Offence, detail: string): void
}

const QUESTION_LIMITS: ProtocolLimits = { frameMaxBytes: QUESTION_MAX_BYTES, timeoutMs: EXCHANGE_TIMEOUT_MS }
const ANSWER_LIMITS: ProtocolLimits = { frameMaxBytes: ANSWER_MAX_BYTES, timeoutMs: EXCHANGE_TIMEOUT_MS }

export class Exchanges {
  readonly #parts: ExchangesParts
  readonly #events: ExchangesEvents
  readonly #exchange: Exchange

  constructor(parts: ExchangesParts, events: ExchangesEvents) {
    this.#parts = parts
    this.#events = events
    const { network, groupRules, host, random, book, welcome } = parts
    this.#exchange = new Exchange({
      groupRules,
      random,
      reached: (sinceMs, wallMs) => book.reached(sinceMs, wallMs),
      mayTell: endpoint => welcome.isTellable(endpoint),
      isOurs: endpoint => welcome.isOurs(endpoint),
    })
    host.serve(exchangeProtocol(network), QUESTION_LIMITS, async (peer, frame) => {
      const actions = this.#handle({ type: 'request', peer, frame })
      return actions.find(action => action.type === 'reply')?.frame
    })
  }

  /** How many addresses were ignored because their teller had told too many. */
  get ignored(): number {
    return this.#exchange.ignored
  }

  greeted({ peer, direction, ip }: Member, isManual: boolean): void {
    this.#handle({ type: 'greeted', peer, direction, ip, isManual })
  }

  disconnected(peer: PeerId): void {
    this.#handle({ type: 'closed', peer })
  }

  tick(): void {
    this.#handle({ type: 'tick' })
  }

  #handle(event: ExchangeEvent): ExchangeAction[] {
    const { clock } = this.#parts
    const actions = this.#exchange.handle(event, clock.nowMs(), clock.wallMs())
    for (const action of actions) this.#run(action)
    return actions
  }

  #run(action: ExchangeAction): void {
    switch (action.type) {
      case 'ask':
        void this.#ask(action.peer, action.frame)
        return
      case 'reply':
        // The handler of the question returns it.
        return
      case 'learn':
        this.#events.learned(action.heard)
        return
      case 'offence':
        this.#events.offence(action.peer, action.offence, action.detail)
        return
      default:
        action satisfies never
    }
  }

  async #ask(peer: PeerId, question: Uint8Array): Promise<void> {
    const protocol = exchangeProtocol(this.#parts.network)
    let frame: Uint8Array | undefined
    try {
      frame = await this.#parts.host.request(peer, protocol, question, ANSWER_LIMITS)
    } catch (error) {
      const isLate = error instanceof FloodgateError && error.code === 'TIMEOUT'
      if (isLate) this.#events.offence(peer, 'timeout', 'it was asked for addresses')
    }
    this.#handle({ type: 'answer', peer, frame })
  }
}
