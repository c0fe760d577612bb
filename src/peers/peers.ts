/**
 * The actor of peers: who is connected, who is kept connected, and who is sent away.
 *
 * Rules:
 * - Decisions are made by `connector.ts` (whom to dial) and `score.ts` (whom to drop); this file feeds them and
 *   carries out what they say.
 * - A peer that the user asked for (`connect` with `keep`, or `peers` in the configuration) is scored like any
 *   other but never dropped, whichever side has dialled: a person's will stands above a number.
 * - A drop is done, counted and logged once, whatever else of the peer is still to be judged when it goes.
 */
import { FloodgateError } from '../core/errors.ts'
import type { Offence } from '../core/offences.ts'
import type { Clock, ConnectionInfo, Counter, Host, Log, Metrics, RandomSource } from '../core/ports.ts'
import type { Address, Direction, PeerId } from '../core/types.ts'
import {
  Connector,
  type ConnectorAction,
  type ConnectorEvent,
  type ConnectorOptions,
  WANTED_MAX,
} from './connector.ts'
import { type ScoreOptions, Scores } from './score.ts'

export interface PeerInfo {
  readonly peer: PeerId
  readonly address: Address
  readonly direction: Direction
  readonly connectedAtMs: number
  /** 0 is neutral; offences lower it, time raises it again. */
  readonly score: number
}

export interface PeersEvents {
  connected(peer: PeerId, address: Address, direction: Direction): void
  disconnected(peer: PeerId): void
  offence(peer: PeerId, offence: Offence, detail: string): void
}

export interface PeersParts {
  readonly host: Host
  readonly clock: Clock
  readonly random: RandomSource
  readonly log: Log
  readonly metrics: Metrics
}

/** How often due dials are looked for. */
const TICK_MS = 100

export class Peers {
  readonly #parts: PeersParts
  readonly #events: PeersEvents
  readonly #connector: Connector
  readonly #scores: Scores
  readonly #connected = new Set<PeerId>()
  /** Peers whose connections are being closed because of their score. */
  readonly #leaving = new Set<PeerId>()
  readonly #abort = new AbortController()
  readonly #dials: Counter<'result'>
  readonly #offences: Counter<'offence'>
  readonly #drops: Counter<'reason'>
  #stopTicks: (() => void) | undefined

  constructor(options: ConnectorOptions & ScoreOptions, parts: PeersParts, events: PeersEvents) {
    this.#parts = parts
    this.#events = events
    this.#connector = new Connector(options, parts.random)
    this.#scores = new Scores(options)
    const { metrics } = parts
    this.#dials = metrics.counter('floodgate_dials_total', 'Dials by result', ['result'])
    this.#offences = metrics.counter('floodgate_offences_total', 'Misbehaviour of peers', ['offence'])
    this.#drops = metrics.counter('floodgate_drops_total', 'Connections closed by us', ['reason'])
    metrics.gaugeFrom('floodgate_peers', 'Connected peers', ['direction'], () =>
      (['inbound', 'outbound'] as const).map(direction => [
        { direction },
        this.list().filter(peer => peer.direction === direction).length,
      ]),
    )
  }

  /** Begins to dial. `kept` addresses are kept connected, `bootstrap` addresses are a way in. */
  start(kept: readonly Address[], bootstrap: readonly Address[]): void {
    for (const address of kept) this.#feed({ type: 'want', address, purpose: 'kept' })
    for (const address of bootstrap) this.#feed({ type: 'want', address, purpose: 'bootstrap' })
    const refused = new Set([...kept, ...bootstrap]).size - WANTED_MAX
    if (refused > 0) this.#parts.log.warn('too many addresses: the last ones are not used', { refused })
    this.#stopTicks = this.#parts.clock.every(TICK_MS, () => this.#feed({ type: 'tick' }))
  }

  /** No dial begins afterwards, and those under way are given up. */
  stop(): void {
    this.#stopTicks?.()
    this.#abort.abort()
  }

  list(): PeerInfo[] {
    const nowMs = this.#parts.clock.nowMs()
    const peers = new Map<PeerId, ConnectionInfo>()
    for (const connection of this.#parts.host.connections()) {
      if (!peers.has(connection.peer)) peers.set(connection.peer, connection)
    }
    return [...peers.values()].map(({ peer, address, direction, openedAtMs }) => ({
      peer,
      address,
      direction,
      connectedAtMs: openedAtMs,
      score: this.#scores.scoreOf(peer, nowMs),
    }))
  }

  /** @throws FloodgateError ADDRESS, DIAL, TIMEOUT */
  async connect(address: Address, options: { keep?: boolean; signal?: AbortSignal }): Promise<PeerId> {
    if (options.keep === true && this.#connector.isFull) {
      throw new FloodgateError('ADDRESS', `no more than ${WANTED_MAX} addresses can be kept connected`)
    }
    const signals = options.signal === undefined ? [this.#abort.signal] : [this.#abort.signal, options.signal]
    const peer = await this.#parts.host.dial(address, AbortSignal.any(signals))
    if (options.keep === true) {
      // Its event may be still to come, and then the connector would dial again.
      if (this.#isOpen(peer)) this.#feed({ type: 'connected', peer })
      this.#feed({ type: 'want', address, purpose: 'kept', peer })
    }
    return peer
  }

  /** Closes the connections to a peer, and keeps it connected no longer. */
  async disconnect(peer: PeerId): Promise<void> {
    this.#feed({ type: 'forget', peer })
    if (this.#connected.has(peer)) this.#drops.inc({ reason: 'asked' })
    await this.#parts.host.close(peer)
  }

  onConnected({ peer, address, direction }: ConnectionInfo): void {
    this.#feed({ type: 'connected', peer })
    if (this.#connected.has(peer)) return
    this.#connected.add(peer)
    this.#parts.log.debug('connected', { peer, address, direction })
    this.#events.connected(peer, address, direction)
    if (this.#scores.isOut(peer, this.#parts.clock.nowMs())) this.#drop(peer, 'it came back with a low score')
  }

  onDisconnected(peer: PeerId): void {
    this.#feed({ type: 'disconnected', peer })
    if (!this.#connected.delete(peer)) return
    this.#parts.log.debug('disconnected', { peer })
    this.#events.disconnected(peer)
  }

  onOffence(peer: PeerId, offence: Offence, detail: string): void {
    this.#offences.inc({ offence })
    this.#events.offence(peer, offence, detail)
    const actions = this.#scores.handle({ type: 'offence', peer, offence }, this.#parts.clock.nowMs())
    for (const action of actions) this.#drop(action.peer, `${offence}: ${detail}`)
  }

  #drop(peer: PeerId, detail: string): void {
    if (!this.#connected.has(peer) || this.#leaving.has(peer) || this.#connector.isKept(peer)) return
    this.#leaving.add(peer)
    this.#drops.inc({ reason: 'score' })
    const score = this.#scores.scoreOf(peer, this.#parts.clock.nowMs())
    this.#parts.log.warn('a peer is dropped: its score is too low', { peer, score, detail })
    void this.#parts.host.close(peer).finally(() => this.#leaving.delete(peer))
  }

  #feed(event: ConnectorEvent): void {
    for (const action of this.#connector.handle(event, this.#parts.clock.nowMs())) this.#run(action)
  }

  #run(action: ConnectorAction): void {
    if (this.#abort.signal.aborted) return
    const { address } = action
    this.#parts.host.dial(address, this.#abort.signal).then(
      peer => {
        this.#dials.inc({ result: 'ok' })
        this.#onDialled(address, peer)
      },
      error => {
        if (this.#abort.signal.aborted) return
        this.#dials.inc({ result: 'failed' })
        this.#parts.log.info('could not connect, will try again', {
          address,
          reason: (error as Error).message,
        })
        this.#feed({ type: 'failed', address })
      },
    )
  }

  #onDialled(address: Address, peer: PeerId): void {
    // It may have closed again before we got here; then the dial has failed.
    this.#feed(this.#isOpen(peer) ? { type: 'dialled', address, peer } : { type: 'failed', address })
  }

  #isOpen(peer: PeerId): boolean {
    return this.#parts.host.connections().some(connection => connection.peer === peer)
  }
}
