/**
 * The actor of kept addresses: the dials that `connector.ts` asks for, and what becomes of them.
 */
import type { Clock, Counter, Host, Log, RandomSource, Resolver } from '../core/ports.ts'
import type { Address, PeerId } from '../core/types.ts'
import { Connector, type ConnectorAction, type ConnectorEvent, type ConnectorOptions } from './connector.ts'
import { duplicateOf } from './denial.ts'
import { dialNamed } from './named.ts'

export interface KeptParts {
  readonly host: Host
  readonly resolver: Resolver
  readonly clock: Clock
  readonly random: RandomSource
  readonly log: Log
  readonly dials: Counter<'purpose' | 'source' | 'result'>
  /** Ends every dial. */
  readonly signal: AbortSignal
  /** An address has turned out to be this peer's. */
  found(peer: PeerId): void
}

export class Kept {
  readonly #parts: KeptParts
  readonly #connector: Connector

  constructor(options: ConnectorOptions, parts: KeptParts) {
    this.#parts = parts
    this.#connector = new Connector(options, parts.random)
  }

  get isFull(): boolean {
    return this.#connector.isFull
  }

  /** Whether one of the addresses that are kept connected is this peer's. */
  has(peer: PeerId): boolean {
    return this.#connector.isKept(peer)
  }

  feed(event: ConnectorEvent): void {
    for (const action of this.#connector.handle(event, this.#parts.clock.nowMs())) void this.#dial(action)
  }

  async #dial({ address }: ConnectorAction): Promise<void> {
    const { signal } = this.#parts
    if (signal.aborted) return
    let peer: PeerId
    try {
      peer = await dialNamed(address, this.#parts, signal)
    } catch (error) {
      if (signal.aborted) return
      // An address that does not say whose it is may turn out to be a connected peer's.
      const known = duplicateOf(error)
      if (known === undefined) return this.#onFailed(address, (error as Error).message)
      peer = known
    }
    this.#onDialled(address, peer)
  }

  /** It may have closed again before we got here; then the dial has failed. */
  #onDialled(address: Address, peer: PeerId): void {
    const { host, dials } = this.#parts
    const isOpen = host.connections().some(connection => connection.peer === peer)
    if (!isOpen) return this.#onFailed(address, 'it is not connected after all')
    dials.inc({ purpose: 'kept', source: 'manual', result: 'ok' })
    this.feed({ type: 'dialled', address, peer })
    this.#parts.found(peer)
  }

  #onFailed(address: Address, reason: string): void {
    const { dials, log } = this.#parts
    dials.inc({ purpose: 'kept', source: 'manual', result: 'failed' })
    log.info('could not connect, will try again', { address, reason })
    this.feed({ type: 'failed', address })
  }
}
