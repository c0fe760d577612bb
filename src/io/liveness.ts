/**
 * Liveness: every connection is tried now and then, and one that does not answer is cut.
 *
 * Rules:
 * - A connection is tried soon after it has opened, which gives its round trip, and then every `PERIOD_MS`. A dead peer
 *   is so gone after 29 s at the latest. The times of connections are spread, not all of them at once.
 * - A peer that does not speak ping has answered, too.
 *
 * Why not libp2p's connection monitor: it stretches its deadline by times of the wall clock, and when that is set back by
 * an hour the deadline becomes no number, every ping fails from then on, and every connection is cut.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { byteStream } from '@libp2p/utils'
import type { Clock, Log } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'

export interface LivenessParts {
  connections(): readonly Connection[]
  readonly clock: Clock
  readonly log: Log
  /** Told before a connection is cut. */
  silent(peer: PeerId): void
}

/** Between two tries, and how long an answer may take behind a megabyte on a slow line. */
export const PERIOD_MS = 15_000
export const TIMEOUT_MS = 14_000

const FIRST_MS = 1_000
const TICK_MS = 1_000

const PING_PROTOCOL = '/ipfs/ping/1.0.0'
const PING_BYTES = 32

export class Liveness {
  readonly #parts: LivenessParts
  /** When a connection is tried next; Infinity while it is. Those that have closed are forgotten at each tick. */
  #dueMs = new Map<Connection, number>()
  #stopTicks = (): void => {}

  constructor(parts: LivenessParts) {
    this.#parts = parts
  }

  start(): void {
    this.#stopTicks = this.#parts.clock.every(TICK_MS, () => this.#tick())
  }

  stop(): void {
    this.#stopTicks()
    this.#dueMs.clear()
  }

  #tick(): void {
    const nowMs = this.#parts.clock.nowMs()
    const open = this.#parts.connections()
    this.#dueMs = new Map(open.map(it => [it, this.#dueMs.get(it) ?? nowMs + FIRST_MS]))
    for (const [connection, dueMs] of this.#dueMs) {
      if (nowMs < dueMs) continue
      this.#dueMs.set(connection, Number.POSITIVE_INFINITY)
      void this.#try(connection, nowMs)
    }
  }

  async #try(connection: Connection, nowMs: number): Promise<void> {
    try {
      connection.rtt = await this.#roundTrip(connection)
    } catch (error) {
      // It may have closed while we waited.
      if (connection.status !== 'open') return
      const peer = connection.remotePeer.toString()
      this.#parts.log.info('a connection does not answer: cut', { peer, reason: (error as Error).message })
      this.#parts.silent(peer)
      connection.abort(error as Error)
    }
    if (this.#dueMs.has(connection)) this.#dueMs.set(connection, nowMs + PERIOD_MS)
  }

  /** @throws Error when there is no answer in time */
  async #roundTrip(connection: Connection): Promise<number> {
    const { clock } = this.#parts
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const openedMs = clock.nowMs()
    let stream: Stream | undefined
    try {
      stream = await connection.newStream(PING_PROTOCOL, { signal, runOnLimitedConnection: true })
      const bytes = byteStream(stream)
      const sentMs = clock.nowMs()
      await Promise.all([
        bytes.write(crypto.getRandomValues(new Uint8Array(PING_BYTES)), { signal }),
        bytes.read({ bytes: PING_BYTES, signal }),
      ])
      const rttMs = clock.nowMs() - sentMs
      // The answer is there; how the stream ends is nobody's fault.
      stream.close({ signal }).catch(() => {})
      return rttMs
    } catch (error) {
      stream?.abort(error as Error)
      // The negotiation took two round trips, and its answer is one.
      if ((error as Error).name === 'UnsupportedProtocolError') return (clock.nowMs() - openedMs) / 2
      throw error
    }
  }
}
