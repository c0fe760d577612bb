/**
 * A frame on a stream: its length as an unsigned varint, and that many bytes.
 *
 * Rules:
 * - A length is judged before anything is kept for it, and memory grows with what has arrived, not with what was
 *   promised.
 * - A stream of a request carries one frame in each direction (`readFrame`). What comes after it is refused like a frame
 *   that is too long. A stream of a channel carries any number (`FrameSplitter`).
 * - What breaks these rules aborts the stream with a `FrameError`, which its `close` event then carries.
 *
 * Why not `lpStream` of `@libp2p/utils` 7.4.1: it takes a length byte by byte, and throws and catches an error for each
 * byte that does not end it, without end when none does: 64 KiB of such bytes hold the thread for 0.2 s.
 */
import assert from 'node:assert/strict'
import type { Stream } from '@libp2p/interface'

/** A peer has sent something that is no frame, or a longer one than allowed. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
}

/** Lengths of up to 4 GiB. */
export const LENGTH_MAX_BYTES = 5

/** Never written to. */
const NOTHING = new Uint8Array(0)

/** Follows frames through pieces of bytes, one after the other, and keeps nothing of them. */
export class FrameTrail {
  readonly #maxBytes: number
  #lengthBytes = 0
  #length = 0
  /** Of the frame's content; undefined while the length is not complete. */
  #missingBytes: number | undefined

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * Goes on at `at`, to the end of a frame or of the piece.
   * @returns where the content lies on the way, and whether the frame ends there @throws FrameError
   */
  next(piece: Uint8Array, at: number): { from: number; to: number; isEnd: boolean } {
    let from = at
    while (this.#missingBytes === undefined) {
      const byte = piece[from]
      if (byte === undefined) return { from, to: from, isEnd: false }
      this.#takeLength(byte)
      from++
    }
    const to = Math.min(piece.byteLength, from + this.#missingBytes)
    this.#missingBytes -= to - from
    const isEnd = this.#missingBytes === 0
    if (isEnd) {
      this.#lengthBytes = 0
      this.#length = 0
      this.#missingBytes = undefined
    }
    return { from, to, isEnd }
  }

  #takeLength(byte: number): void {
    this.#length += (byte & 0x7f) * 0x80 ** this.#lengthBytes++
    if (byte < 0x80) {
      if (this.#length > this.#maxBytes) {
        throw new FrameError(`a frame of ${this.#length} bytes, limit ${this.#maxBytes}`)
      }
      this.#missingBytes = this.#length
    } else if (this.#lengthBytes === LENGTH_MAX_BYTES) {
      throw new FrameError('a length without end')
    }
  }
}

/** What is set aside for a frame at first; more when more arrives. */
const FIRST_BYTES = 1_024

/** Takes one frame out of pieces. */
export class FrameReader {
  readonly #maxBytes: number
  #lengthBytes = 0
  #length = 0
  /** Undefined while the length is not complete. */
  #content: Uint8Array | undefined
  #filled = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** A byte has come. */
  get isBegun(): boolean {
    return this.#lengthBytes > 0
  }

  get isComplete(): boolean {
    return this.#content !== undefined && this.#filled === this.#length
  }

  /** The frame, when it is complete; its bytes are a copy. */
  get frame(): Uint8Array | undefined {
    return this.isComplete ? this.#content : undefined
  }

  /** @returns the frame, when this piece completes it; its bytes are a copy @throws FrameError */
  push(piece: Uint8Array): Uint8Array | undefined {
    if (piece.byteLength === 0) return undefined
    if (this.isComplete || this.take(piece, 0) < piece.byteLength) {
      throw new FrameError('bytes after the frame')
    }
    return this.frame
  }

  /**
   * Goes on at `at`, to the end of the frame or of the piece. A frame that lies in one piece is copied once.
   * @returns where it stopped @throws FrameError
   */
  take(piece: Uint8Array, at: number): number {
    const from = this.#content === undefined ? this.#takeLength(piece, at) : at
    if (this.#content === undefined) return from
    const to = Math.min(piece.byteLength, from + this.#length - this.#filled)
    if (to > from) {
      this.#reserve(this.#filled + to - from).set(piece.subarray(from, to), this.#filled)
      this.#filled += to - from
    }
    return to
  }

  /** @returns where the content starts in this piece */
  #takeLength(piece: Uint8Array, at: number): number {
    for (let from = at; from < piece.byteLength; ) {
      const byte = piece[from++] ?? 0
      this.#length += (byte & 0x7f) * 0x80 ** this.#lengthBytes++
      if (byte >= 0x80) {
        if (this.#lengthBytes === LENGTH_MAX_BYTES) throw new FrameError('a length without end')
        continue
      }
      // The multiformats' rule: no longer than needed, so that there is one way to write it.
      if (byte === 0 && this.#lengthBytes > 1) throw new FrameError('a length with needless bytes')
      if (this.#length > this.#maxBytes) {
        throw new FrameError(`a frame of ${this.#length} bytes, limit ${this.#maxBytes}`)
      }
      this.#content = NOTHING
      return from
    }
    return piece.byteLength
  }

  /** The content with room for so many bytes. */
  #reserve(sizeBytes: number): Uint8Array {
    assert.ok(this.#content !== undefined)
    if (sizeBytes > this.#content.byteLength) {
      const roomBytes = Math.max(sizeBytes, FIRST_BYTES, 2 * this.#content.byteLength)
      const grown = new Uint8Array(Math.min(this.#length, roomBytes))
      grown.set(this.#content)
      this.#content = grown
    }
    return this.#content
  }
}

/** Takes any number of frames out of pieces, one after the other. */
export class FrameSplitter {
  readonly #maxBytes: number
  #reader: FrameReader

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#reader = new FrameReader(maxBytes)
  }

  /** A frame has begun that is not complete. */
  get isInside(): boolean {
    return this.#reader.isBegun
  }

  /**
   * The frames that end in this piece, as they are asked for; each is a copy. A caller that stops asking has read
   * enough: what follows in the piece is lost. @throws FrameError when the next one is none
   */
  *push(piece: Uint8Array): Generator<Uint8Array, void> {
    for (let at = 0; at < piece.byteLength; ) {
      at = this.#reader.take(piece, at)
      const { frame } = this.#reader
      if (frame === undefined) continue
      this.#reader = new FrameReader(this.#maxBytes)
      yield frame
    }
  }
}

/**
 * Reads the frame of a stream; undefined when the other side has ended it without one. To be called once, and before
 * anything else waits: what came until then is still there.
 * @param signal ends the wait with its reason; the stream is left to the caller
 * @throws FrameError, after which the stream is aborted; or what has ended the stream
 */
export function readFrame(
  stream: Stream,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>()
  const reader = new FrameReader(maxBytes)
  let hasEnded = stream.status === 'open' && stream.remoteWriteStatus === 'closed'

  const refuse = (error: Error): void => {
    stream.abort(error)
    reject(error)
  }
  const judgeEnd = (): void => {
    if (reader.isComplete) return
    if (reader.isBegun) refuse(new FrameError('the stream ended in the middle of a frame'))
    else resolve(undefined)
  }
  // Yamux tells the end before the bytes that came along with it; all it does in one go is over in a microtask.
  const endLater = (): void => {
    hasEnded = true
    queueMicrotask(judgeEnd)
  }

  // Stays when the frame is there, to refuse what comes after it. The stream is short-lived.
  stream.addEventListener('message', ({ data }) => {
    try {
      for (const piece of data instanceof Uint8Array ? [data] : data) {
        const frame = reader.push(piece)
        if (frame !== undefined) resolve(frame)
      }
    } catch (error) {
      refuse(error as Error)
    }
  })
  stream.addEventListener('remoteCloseWrite', endLater)
  stream.addEventListener('close', ({ error }) => {
    if (error === undefined && hasEnded) endLater()
    else reject(error ?? new Error('the connection has ended'))
  })
  if (hasEnded) endLater()
  else if (stream.status !== 'open') reject(new Error('the connection has ended'))
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  if (signal.aborted) reject(signal.reason)
  return promise
}

/** Sends one frame. What does not fit the socket waits in the stream, and `stream.close` waits for it. */
export function writeFrame(stream: Stream, frame: Uint8Array): void {
  const length = new Uint8Array(lengthBytesOf(frame.byteLength))
  writeLength(length, 0, frame.byteLength)
  stream.send(Buffer.concat([length, frame]))
}

/** How many bytes the length of a frame takes. */
export function lengthBytesOf(sizeBytes: number): number {
  let count = 1
  for (let rest = sizeBytes; rest >= 0x80; rest = Math.floor(rest / 0x80)) count++
  return count
}

/** Writes the length of a frame. @returns where its content starts */
export function writeLength(target: Uint8Array, at: number, sizeBytes: number): number {
  let end = at
  let rest = sizeBytes
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) target[end++] = (rest % 0x80) | 0x80
  target[end++] = rest
  return end
}
