/**
 * A protocol of long-lived streams, to all peers: the `Channel` port on libp2p's streams.
 *
 * Rules:
 * - Each side sends on a stream that it has opened itself, and reads on the one that the other side has. So a peer has at
 *   most one stream in each direction, over all its connections: its newer one takes the place of the older one.
 * - What is read is passed on at once; nothing is kept here but a frame that has begun. Whoever listens decides which peers
 *   it knows.
 * - What is no frame, is too long or ends in the middle is an offence, and so is a byte on the stream that we send on. A
 *   stream that is cut, also in the middle of a frame, is none.
 * - A stream that ends while its connection lives is not opened again here: `closed` is told, and whoever listens decides.
 * - A handler of ours that throws costs a log line and, when it was reading, the stream; never the node.
 */
import assert from 'node:assert/strict'
import type { Connection, Stream } from '@libp2p/interface'
import type { Offence } from '../core/offences.ts'
import type { Channel, ChannelEvents, ChannelLimits, Log } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import { ChannelSender, type SharedConnection } from './channel-sender.ts'
import { FrameError, FrameSplitter, LENGTH_MAX_BYTES } from './frame.ts'

/** One, and its successor while the other side has not noticed yet that the first is gone. */
export const CHANNEL_STREAMS_MAX = 2

/** To agree on the protocol: two round trips, on a line that may be busy. */
const OPEN_TIMEOUT_MS = 5_000

export interface ChannelParts {
  readonly log: Log
  /** An open connection to a peer. */
  connectionTo(peer: PeerId): Connection | undefined
  offence(peer: PeerId, offence: Offence, detail: string): void
  /** What all channels have in common on a connection. */
  sharedOf(connection: Connection): SharedConnection
}

interface Outgoing {
  /** Undefined while it opens. */
  sender: ChannelSender | undefined
  answer: Promise<boolean>
}

export class StreamChannel implements Channel {
  readonly #protocol: string
  readonly #limits: ChannelLimits
  readonly #events: ChannelEvents
  readonly #parts: ChannelParts
  /** Of connected peers, until the stream ends. */
  readonly #outgoing = new Map<PeerId, Outgoing>()
  /** Of connected peers, until the stream ends. */
  readonly #incoming = new Map<PeerId, Stream>()
  #isStopped = false

  constructor(protocol: string, limits: ChannelLimits, events: ChannelEvents, parts: ChannelParts) {
    assert.ok(
      limits.waitingMaxBytes >= limits.frameMaxBytes + LENGTH_MAX_BYTES,
      `${protocol}: there must be room for a frame`,
    )
    this.#protocol = protocol
    this.#limits = limits
    this.#events = events
    this.#parts = parts
  }

  async open(peer: PeerId): Promise<boolean> {
    const known = this.#outgoing.get(peer)
    if (known !== undefined) return await known.answer
    const connection = this.#isStopped ? undefined : this.#parts.connectionTo(peer)
    if (connection === undefined) return false
    const outgoing: Outgoing = { sender: undefined, answer: Promise.resolve(false) }
    this.#outgoing.set(peer, outgoing)
    outgoing.answer = this.#open(peer, connection, outgoing)
    return await outgoing.answer
  }

  send(peer: PeerId, frame: Uint8Array): boolean {
    const { frameMaxBytes } = this.#limits
    assert.ok(
      frame.byteLength <= frameMaxBytes,
      `our frame of ${frame.byteLength} bytes, limit ${frameMaxBytes}`,
    )
    return this.#outgoing.get(peer)?.sender?.send(frame) ?? false
  }

  waitingBytes(peer: PeerId): number {
    return this.#outgoing.get(peer)?.sender?.waitingBytes ?? 0
  }

  close(peer: PeerId): void {
    const outgoing = this.#outgoing.get(peer)
    if (outgoing !== undefined) this.#end(peer, outgoing, new Error('the channel was closed'))
  }

  /** Ends all streams, and opens no more. */
  stop(): void {
    this.#isStopped = true
    const reason = new Error('the node stops')
    for (const [peer, outgoing] of this.#outgoing) this.#end(peer, outgoing, reason)
    for (const stream of this.#incoming.values()) stream.abort(reason)
  }

  /** Reads a stream that the peer has opened, until it ends. */
  accept(stream: Stream, connection: Connection): void {
    if (this.#isStopped) return stream.abort(new Error('the node stops'))
    if (stream.status !== 'open') return
    const peer = connection.remotePeer.toString()
    this.#incoming.get(peer)?.abort(new Error('a newer stream takes its place'))
    this.#incoming.set(peer, stream)
    stream.addEventListener('close', () => {
      if (this.#incoming.get(peer) === stream) this.#incoming.delete(peer)
    })
    const splitter = new FrameSplitter(this.#limits.frameMaxBytes)
    stream.addEventListener('message', ({ data }) => {
      for (const piece of data instanceof Uint8Array ? [data] : data)
        this.#read(peer, stream, splitter, piece)
    })
    const judgeEnd = (): void => {
      if (splitter.isInside) {
        this.#refuse(peer, stream, new FrameError('the stream ended in the middle of a frame'))
      } else {
        // Nothing was sent on it: this waits for nobody but a full socket.
        stream.close().catch(error => stream.abort(error as Error))
      }
    }
    // Yamux tells the end before the bytes that came along with it; all it does in one go is over in a microtask.
    const endLater = (): void => queueMicrotask(judgeEnd)
    stream.addEventListener('remoteCloseWrite', endLater)
    if (stream.remoteWriteStatus === 'closed') endLater()
  }

  async #open(peer: PeerId, connection: Connection, outgoing: Outgoing): Promise<boolean> {
    try {
      const stream = await connection.newStream(this.#protocol, {
        signal: AbortSignal.timeout(OPEN_TIMEOUT_MS),
        maxOutboundStreams: CHANNEL_STREAMS_MAX,
        runOnLimitedConnection: false,
      })
      if (this.#outgoing.get(peer) !== outgoing) {
        stream.abort(new Error('the channel was closed'))
        return false
      }
      if (stream.status !== 'open') throw new Error('the stream has ended')
      this.#attend(peer, connection, outgoing, stream)
    } catch (error) {
      this.#parts.log.debug('a channel does not open', {
        protocol: this.#protocol,
        peer,
        reason: (error as Error).message,
      })
      if (this.#outgoing.get(peer) === outgoing) this.#outgoing.delete(peer)
      return false
    }
    this.#tell(peer, () => this.#events.opened(peer))
    return this.#outgoing.get(peer) === outgoing
  }

  #attend(peer: PeerId, connection: Connection, outgoing: Outgoing, stream: Stream): void {
    outgoing.sender = new ChannelSender(stream, this.#parts.sharedOf(connection), this.#limits, () =>
      this.#tell(peer, () => this.#events.drained(peer)),
    )
    stream.addEventListener('close', ({ error }) => {
      this.#end(peer, outgoing, error ?? new Error('the stream has ended'))
    })
    stream.addEventListener('message', () => {
      this.#refuse(peer, stream, new FrameError('bytes on the stream of the other side'))
    })
  }

  /** The sending side is over, whoever has ended it. */
  #end(peer: PeerId, outgoing: Outgoing, reason: Error): void {
    if (this.#outgoing.get(peer) !== outgoing) return
    this.#outgoing.delete(peer)
    const { sender } = outgoing
    if (sender === undefined) return
    sender.end(reason)
    this.#parts.log.debug('a channel has ended', {
      protocol: this.#protocol,
      peer,
      reason: reason.message,
    })
    this.#tell(peer, () => this.#events.closed(peer))
  }

  #read(peer: PeerId, stream: Stream, splitter: FrameSplitter, piece: Uint8Array): void {
    try {
      for (const frame of splitter.push(piece)) {
        // The frame before it may have been the last one that anybody wants.
        if (stream.status !== 'open') return
        if (!this.#tell(peer, () => this.#events.frame(peer, frame))) {
          return stream.abort(new Error('a handler has failed'))
        }
      }
    } catch (error) {
      this.#refuse(peer, stream, error as Error)
    }
  }

  #refuse(peer: PeerId, stream: Stream, error: Error): void {
    // Of pieces that come in one go, the first is enough.
    if (stream.status !== 'open') return
    stream.abort(error)
    this.#parts.offence(peer, 'malformed', `${this.#protocol}: ${error.message}`)
  }

  /** @returns false when the handler has thrown */
  #tell(peer: PeerId, handle: () => void): boolean {
    try {
      handle()
      return true
    } catch (error) {
      this.#parts.log.error('a handler has failed', {
        protocol: this.#protocol,
        peer,
        reason: (error as Error).message,
      })
      return false
    }
  }
}
