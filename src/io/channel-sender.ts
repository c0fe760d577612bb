/**
 * Our sending side of a channel towards one peer: frames wait here until the stream has room.
 *
 * Rules:
 * - What is sent in one tick leaves together, when the code that sent it is done: small frames are copied into one block,
 *   large ones go as they are. With others on the connection this one takes turns (`channel-turns.ts`).
 * - The stream gets a batch at a time, of whole frames, and none while it is full. Why: each stream of a connection pushes
 *   all that it has whenever the socket drains, so what it is given waits in the socket's queue, before everybody else's
 *   bytes. Whole frames, because a connection that is closed ends its streams properly after what they were given, and the
 *   end of a stream in the middle of a frame is an offence.
 * - `waitingBytes` is what a new frame has to wait for: the queue here, the stream's buffer, and what the connection holds
 *   of all streams (`backlog.ts`). A frame is refused for our own bytes, and for the connection's as long as it is full:
 *   below that nobody would tell when it is empty.
 * - It is full until a `drain` event, and not until `stream.onDrain()`, which resolves at once after the first drain.
 */
import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import type { ChannelLimits } from '../core/ports.ts'
import type { Backlog } from './backlog.ts'
import type { ChannelTurns, Sender } from './channel-turns.ts'
import { lengthBytesOf, writeLength } from './frame.ts'

/** With a header of Yamux (12 bytes) one full record of Noise. */
const BATCH_BYTES = 65_507

/** Frames from this size are cheaper to hand over than to copy: `noise.ts` joins what is smaller anyway. */
const ALONE_FROM_BYTES = 8_192

/** Frames that have left stay in the array until there are so many; taking each off its front would move all others. */
const GONE_MAX = 1_024

/** In the place of a frame that has left. */
const NOTHING = new Uint8Array(0)

/** What all senders of a connection share. */
export interface SharedConnection {
  readonly backlog: Backlog
  readonly turns: ChannelTurns
}

export class ChannelSender implements Sender {
  readonly #stream: Stream
  readonly #shared: SharedConnection
  readonly #waitingMaxBytes: number
  readonly #drained: () => void
  #frames: Uint8Array[] = []
  /** Where the queue starts in `#frames`. */
  #first = 0
  /** Of the queue, with lengths. */
  #queuedBytes = 0
  /** `drained` is owed. */
  #isHigh = false

  /** @param drained see `ChannelEvents.drained` */
  constructor(stream: Stream, shared: SharedConnection, limits: ChannelLimits, drained: () => void) {
    this.#stream = stream
    this.#shared = shared
    this.#waitingMaxBytes = limits.waitingMaxBytes
    this.#drained = drained
    // The stream's own listener was there first: its microtask sends what the stream holds, and ours goes on.
    stream.addEventListener('drain', () => queueMicrotask(() => shared.turns.ask(this)))
  }

  get waitingBytes(): number {
    return this.#ownBytes + this.#shared.backlog.sizeBytes
  }

  /** @returns false when it was not taken */
  send(frame: Uint8Array): boolean {
    if (!this.#isWritable) return false
    const sizeBytes = lengthBytesOf(frame.byteLength) + frame.byteLength
    const withBytes = this.waitingBytes + sizeBytes
    const judgedBytes = this.#stream.writableNeedsDrain ? withBytes : this.#ownBytes + sizeBytes
    const isTaken = judgedBytes <= this.#waitingMaxBytes
    if (!isTaken || withBytes > this.#waitingMaxBytes / 2) this.#isHigh = true
    if (!isTaken) return false
    this.#frames.push(frame)
    this.#queuedBytes += sizeBytes
    this.#shared.turns.ask(this)
    return true
  }

  takeTurn(): 'sent' | 'empty' | 'full' {
    const isEmpty = this.#queuedBytes === 0 || !this.#isWritable
    if (isEmpty || this.#stream.writableNeedsDrain) {
      this.#judge()
      return isEmpty ? 'empty' : 'full'
    }
    try {
      this.#stream.send(this.#takeBatch())
      return 'sent'
    } catch {
      // The stream has aborted itself, and everybody hears of it by its `close` event.
      return 'empty'
    }
  }

  /** Ends the stream, and forgets what waits. */
  end(reason: Error): void {
    this.#frames = []
    this.#first = 0
    this.#queuedBytes = 0
    this.#isHigh = false
    this.#stream.abort(reason)
  }

  get #ownBytes(): number {
    return this.#queuedBytes + this.#stream.writeBufferLength
  }

  get #isWritable(): boolean {
    return this.#stream.status === 'open' && this.#stream.writeStatus === 'writable'
  }

  #judge(): void {
    if (!this.#isHigh || !this.#isWritable) return
    // What is left in a socket that is not full goes without a word.
    const isSilent = this.#ownBytes === 0 && !this.#stream.writableNeedsDrain
    if (!isSilent && this.waitingBytes >= this.#waitingMaxBytes / 4) return
    this.#isHigh = false
    this.#drained()
  }

  /** Takes frames off the queue, at least one. */
  #takeBatch(): Uint8Array | Uint8ArrayList {
    const { end, sizeBytes, largeBytes } = this.#measureBatch()
    const block = Buffer.allocUnsafe(sizeBytes - largeBytes)
    const parts: Uint8Array[] = []
    let from = 0
    let at = 0
    for (let index = this.#first; index < end; index++) {
      const frame = this.#frames[index] as Uint8Array
      at = writeLength(block, at, frame.byteLength)
      if (frame.byteLength < ALONE_FROM_BYTES) {
        block.set(frame, at)
        at += frame.byteLength
      } else {
        parts.push(block.subarray(from, at), frame)
        from = at
      }
    }
    this.#forget(end, sizeBytes)
    if (parts.length === 0) return block
    if (from < at) parts.push(block.subarray(from, at))
    return new Uint8ArrayList(...parts)
  }

  /** What fits a batch: where it ends in `#frames`, its size, and how much of that is not copied. */
  #measureBatch(): { end: number; sizeBytes: number; largeBytes: number } {
    let end = this.#first
    let sizeBytes = 0
    let largeBytes = 0
    for (; end < this.#frames.length; end++) {
      const { byteLength } = this.#frames[end] as Uint8Array
      const moreBytes = sizeBytes + lengthBytesOf(byteLength) + byteLength
      if (end > this.#first && moreBytes > BATCH_BYTES) break
      sizeBytes = moreBytes
      if (byteLength >= ALONE_FROM_BYTES) largeBytes += byteLength
    }
    return { end, sizeBytes, largeBytes }
  }

  #forget(end: number, sizeBytes: number): void {
    this.#queuedBytes -= sizeBytes
    if (end === this.#frames.length) {
      this.#frames = []
      this.#first = 0
      return
    }
    // Its bytes are the stream's now.
    this.#frames.fill(NOTHING, this.#first, end)
    this.#first = end
    if (end < GONE_MAX) return
    this.#frames = this.#frames.slice(end)
    this.#first = 0
  }
}
