/**
 * Gossip that comes before the handshake: it waits in its stream until we know that its sender belongs here.
 *
 * Rules:
 * - Nothing of a stream reaches gossipsub before `greeted` has said yes, subscriptions included; then all of it does,
 *   in order. The stream is only handed over later: nothing is copied, and its frames cost nothing more.
 * - At most `EARLY_MAX_BYTES` wait, whole frames or not. A stream that brings more is ended, which is an offence.
 * - One stream of a peer waits; another one takes its place. Honest peers open a second one only when the first has
 *   ended, and begin it with all their subscriptions again.
 * - A stream that ends gives back what it held at once. What stays is one entry per peer, until `greeted` has spoken.
 */
import type { PeerId as Libp2pPeerId, Stream, StreamCloseEvent } from '@libp2p/interface'
import type { Log } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'

export interface EarlyParts {
  readonly log: Log
  /**
   * Resolves with true when gossip of the peer may be read, with false when it is sent away or has gone. It must
   * settle for every peer, at the latest when its last connection has closed.
   */
  greeted(peer: PeerId): Promise<boolean>
  /** Gossip may begin to read the stream. */
  admit(peer: Libp2pPeerId, stream: Stream): void
  /** More than `EARLY_MAX_BYTES` came early. */
  tooMuch(peer: Libp2pPeerId): void
}

/** How much gossip of a peer waits. Its subscriptions to 250 topics with names of 250 bytes are as much. */
export const EARLY_MAX_BYTES = 65_536

interface Waiting {
  stream: Stream | undefined
  /** The bound that the stream had before. */
  readMaxBytes: number
}

export class EarlyGossip {
  readonly #parts: EarlyParts
  readonly #waiting = new Map<PeerId, Waiting>()

  constructor(parts: EarlyParts) {
    this.#parts = parts
  }

  /** Peers that are still to be greeted. */
  get size(): number {
    return this.#waiting.size
  }

  /** Keeps a stream of which nobody reads yet until its peer is greeted. */
  hold(peer: Libp2pPeerId, stream: Stream): void {
    const id = peer.toString()
    const known = this.#waiting.get(id)
    const entry = known ?? { stream: undefined, readMaxBytes: 0 }
    end(entry, 'another stream has taken its place')
    entry.stream = stream
    entry.readMaxBytes = stream.maxReadBufferLength
    // Without a listener the stream keeps what comes, and aborts itself when that is more than this.
    stream.maxReadBufferLength = EARLY_MAX_BYTES
    stream.addEventListener('close', event => this.#ended(peer, entry, stream, event))
    if (stream.readBufferLength > EARLY_MAX_BYTES) this.#overflow(peer, entry)
    if (known !== undefined) return
    this.#waiting.set(id, entry)
    void this.#wait(peer, entry)
  }

  async #wait(peer: Libp2pPeerId, entry: Waiting): Promise<void> {
    const id = peer.toString()
    try {
      const isWelcome = await this.#parts.greeted(id)
      this.#waiting.delete(id)
      const { stream, readMaxBytes } = entry
      if (stream === undefined) return
      if (!isWelcome) return end(entry, 'the peer may not gossip')
      entry.stream = undefined
      stream.maxReadBufferLength = readMaxBytes
      this.#parts.admit(peer, stream)
    } catch (error) {
      // A fault of ours. Nobody is let in by it.
      this.#waiting.delete(id)
      end(entry, 'the handshake has failed')
      this.#parts.log.error('gossip of a peer could not be let in', { peer: id, reason: String(error) })
    }
  }

  #ended(peer: Libp2pPeerId, entry: Waiting, stream: Stream, { error }: StreamCloseEvent): void {
    if (entry.stream !== stream) return
    entry.stream = undefined
    if (error?.name === 'StreamBufferError') this.#parts.tooMuch(peer)
  }

  #overflow(peer: Libp2pPeerId, entry: Waiting): void {
    end(entry, 'too much gossip before the handshake')
    this.#parts.tooMuch(peer)
  }
}

/** Ends the stream that waits, without an event for `#ended` to see. */
function end(entry: Waiting, reason: string): void {
  const { stream } = entry
  entry.stream = undefined
  stream?.abort(new Error(reason))
}
