/**
 * Our own protocols on libp2p's streams: one frame there and at most one back, on a stream of its own.
 *
 * Rules:
 * - A stream has one deadline, from its opening to its end, and is closed in every path: by both sides when all went
 *   well, else cut.
 * - A peer may have `STREAMS_MAX` streams of a protocol open on a connection; further ones are reset.
 * - What is no frame, is too long or ends in the middle is an offence of the peer. A stream that was cut, a deadline
 *   that has passed, and a protocol that is not spoken, are none.
 * - A handler of ours that throws costs the stream and a log line, never the node.
 */
import assert from 'node:assert/strict'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { FloodgateError } from '../core/errors.ts'
import type { Offence } from '../core/offences.ts'
import type { Log, ProtocolLimits } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import { networkError } from './dial-errors.ts'
import { FrameError, readFrame, writeFrame } from './frame.ts'

/** One, and its successor while the last bytes of it are on their way. */
const STREAMS_MAX = 2

const NOTHING = new Uint8Array(0)

export type Handler = (peer: PeerId, frame: Uint8Array) => Promise<Uint8Array | undefined>

/** Tells of an offence, where an error is one. */
type Tell = (error: unknown) => void

export interface ProtocolsParts {
  readonly libp2p: Libp2p
  readonly log: Log
  offence(peer: PeerId, offence: Offence, detail: string): void
}

export class Protocols {
  readonly #parts: ProtocolsParts
  readonly #registered: Promise<void>[] = []

  constructor(parts: ProtocolsParts) {
    this.#parts = parts
  }

  serve(protocol: string, limits: ProtocolLimits, handler: Handler): void {
    const registered = this.#parts.libp2p.handle(
      protocol,
      (stream, connection) => this.#answer(stream, connection, protocol, limits, handler),
      { maxInboundStreams: STREAMS_MAX, maxOutboundStreams: STREAMS_MAX, runOnLimitedConnection: false },
    )
    registered.catch(() => {})
    this.#registered.push(registered)
  }

  /** Resolves when all that is served is known to libp2p. */
  async ready(): Promise<void> {
    await Promise.all(this.#registered)
  }

  /** @throws FloodgateError PROTOCOL, TIMEOUT, DIAL */
  async request(
    connection: Connection,
    protocol: string,
    frame: Uint8Array,
    limits: ProtocolLimits,
  ): Promise<Uint8Array> {
    assertFits(frame, limits)
    const signal = AbortSignal.timeout(limits.timeoutMs)
    let stream: Stream | undefined
    let tell: Tell | undefined
    try {
      stream = await connection.newStream(protocol, {
        signal,
        maxOutboundStreams: STREAMS_MAX,
        runOnLimitedConnection: false,
      })
      tell = this.#watch(stream, connection, protocol)
      const answering = readFrame(stream, limits.frameMaxBytes, signal)
      // It is awaited below, unless sending fails before.
      answering.catch(() => {})
      writeFrame(stream, frame)
      await stream.close({ signal })
      const answer = await answering
      // The caller need not wait for the other side to close.
      void finish(stream, signal)
      return answer ?? NOTHING
    } catch (cause) {
      stream?.abort(cause as Error)
      tell?.(cause)
      throw requestError(protocol, connection, cause)
    }
  }

  async #answer(
    stream: Stream,
    connection: Connection,
    protocol: string,
    limits: ProtocolLimits,
    handler: Handler,
  ): Promise<void> {
    const peer = connection.remotePeer.toString()
    const signal = AbortSignal.timeout(limits.timeoutMs)
    const tell = this.#watch(stream, connection, protocol)
    try {
      const frame = await readFrame(stream, limits.frameMaxBytes, signal)
      const handling =
        frame === undefined ? undefined : this.#handle(peer, protocol, limits, () => handler(peer, frame))
      const answer = await before(signal, handling)
      if (answer !== undefined) writeFrame(stream, answer)
      await stream.close({ signal })
    } catch (error) {
      stream.abort(error as Error)
      tell(error)
    }
    await finish(stream, signal)
  }

  async #handle(
    peer: PeerId,
    protocol: string,
    limits: ProtocolLimits,
    handle: () => ReturnType<Handler>,
  ): Promise<Uint8Array | undefined> {
    try {
      const answer = await handle()
      if (answer !== undefined) assertFits(answer, limits)
      return answer
    } catch (error) {
      this.#parts.log.error('a handler has failed', { protocol, peer, reason: (error as Error).message })
      throw error
    }
  }

  /**
   * A stream that is aborted because of its content says so in its `close`, whoever was reading it; one that both sides had
   * closed by then says nothing, and its reader tells. Told once for each stream.
   */
  #watch(stream: Stream, connection: Connection, protocol: string): Tell {
    let isTold = false
    const tell: Tell = error => {
      if (isTold || !(error instanceof FrameError)) return
      isTold = true
      this.#parts.offence(connection.remotePeer.toString(), 'malformed', `${protocol}: ${error.message}`)
    }
    stream.addEventListener('close', ({ error }) => tell(error))
    return tell
  }
}

/** Waits until both sides have closed the stream, and cuts it when that takes too long. Never throws. */
async function finish(stream: Stream, signal: AbortSignal): Promise<void> {
  if (stream.status !== 'open') return
  const closed = new Promise<void>(resolve => {
    stream.addEventListener('close', () => resolve(), { once: true })
  })
  await before(signal, closed).catch(error => stream.abort(error as Error))
}

/** What the promise gives, unless the signal comes first. */
async function before<T>(signal: AbortSignal, promise: Promise<T> | undefined): Promise<T | undefined> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function assertFits(frame: Uint8Array, { frameMaxBytes }: ProtocolLimits): void {
  assert.ok(
    frame.byteLength <= frameMaxBytes,
    `our frame of ${frame.byteLength} bytes, limit ${frameMaxBytes}`,
  )
}

function requestError(protocol: string, connection: Connection, cause: unknown): FloodgateError {
  const what = `${protocol} with ${connection.remotePeer}`
  if (cause instanceof FrameError) {
    return new FloodgateError('PROTOCOL', `${what}: ${cause.message}`, { cause })
  }
  if ((cause as Error).name === 'UnsupportedProtocolError') {
    return new FloodgateError('PROTOCOL', `${what}: it does not speak it`, { cause })
  }
  return networkError(what, cause)
}
