/**
 * A pipe: one direction of a connection, from a write buffer over two lines and the latency between them.
 *
 *   write → buffer → sender's line → latency → receiver's line → deliver
 *
 * Rules:
 * - In order, nothing lost: what TCP repairs is not modelled, but for the time that it takes.
 * - Cut through: a byte enters the receiver's line when it arrives, not when its slice has. The slower of the two
 *   lines alone decides how long a large message takes.
 * - The buffer says that it is full from 256 kB on, and that there is room again when half of it is free.
 * - While the path is broken (a partition, a crash) nothing leaves the buffer, and what is on its way waits. When the
 *   path is whole again, everything goes on at TCP's next try: retransmissions come after 0.2 s, 0.4 s, 0.8 s, …, so
 *   a long break costs up to its own length again.
 * - A reset overtakes what is in the buffer, and is not sent again when it is lost.
 * - A receiver that does not read lets the sender go on for 256 kB more, its socket's buffer.
 */
import assert from 'node:assert/strict'
import { Uint8ArrayList } from 'uint8arraylist'
import { Arrivals } from './arrivals.ts'
import type { VirtualClock } from './clock.ts'
import type { Line, Sender, Slice } from './line.ts'
import type { SlowStart } from './slow-start.ts'

const BUFFER_BYTES = 262_144
const RECEIVE_BUFFER_BYTES = 262_144
const RETRANSMIT_MS = 200

/** TCP gives up doubling at two minutes. */
const RETRANSMIT_MAX_MS = 120_000

const NO_BYTES = new Uint8Array(0)

export interface PipeParts {
  readonly clock: VirtualClock
  readonly up: Line
  readonly down: Line
  readonly slowStart: SlowStart | undefined
  /** Of the next slice, with its jitter. */
  latencyMs(): number
  /** Of an acknowledgement. */
  backMs(): number
  /** Packets get from the sender to the receiver now. */
  isOpen(): boolean
  /** The pipe waits for the path; `resume` it when it is open again. */
  onStalled(pipe: Pipe): void
  /** It waits no longer, as nothing is left to be sent. */
  onAbandoned(pipe: Pipe): void
  /** A slice has come. Calls code of the receiver. */
  deliver(slice: Slice): void
  /** The buffer was full and has room. Calls code of the sender. */
  onDrain(): void
  /** All is handed over, the end included. Calls code of the sender. */
  onFinished(): void
}

export class Pipe implements Sender {
  readonly #parts: PipeParts
  readonly #buffer = new Uint8ArrayList()
  readonly #arrivals: Arrivals
  /** What arrived while the path was broken, and what came after that. */
  readonly #held: Slice[] = []
  #marks: ('open' | 'fin')[] = []
  #state: 'open' | 'finishing' | 'closed' = 'open'
  #stalledAtMs: number | undefined
  /** Nobody is there to send again what is lost. */
  #isSilent = false
  #isFull = false
  #isPaused = false
  #unreadBytes = 0
  /** When the first and the last byte of the latest slice arrive. */
  #lastArrivalMs = 0
  #lastByteMs = 0

  constructor(parts: PipeParts) {
    this.#parts = parts
    this.#arrivals = new Arrivals(parts.clock, parts.down, slice => this.#deliver(slice))
  }

  /** Tells the receiver of the connection, before all data. */
  open(): void {
    this.#marks.push('open')
    this.#parts.up.add(this)
  }

  /** @returns false when the buffer is full; everything was taken nevertheless */
  write(bytes: Uint8Array | Uint8ArrayList): boolean {
    if (this.#state !== 'open') return true
    this.#buffer.append(bytes)
    this.#parts.up.add(this)
    this.#isFull ||= this.#buffer.byteLength >= BUFFER_BYTES
    return !this.#isFull
  }

  /** No more writes: the end is sent after what is in the buffer. */
  finish(): void {
    if (this.#state !== 'open') return
    this.#state = 'finishing'
    this.#marks.push('fin')
    this.#parts.up.add(this)
  }

  /** Nothing more leaves, and nobody is told. */
  silence(): void {
    this.#state = 'closed'
    this.#isSilent = true
    this.#marks = []
    this.#held.length = 0
    this.#buffer.consume(this.#buffer.byteLength)
    this.#parts.up.remove(this)
    this.#parts.onAbandoned(this)
  }

  /** Throws away what is in the buffer, and tells the receiver. Also good after `finish` and `silence`. */
  reset(): void {
    this.silence()
    const { nowMs } = this.#parts.clock
    this.#travel({ kind: 'rst', bytes: NO_BYTES }, nowMs, nowMs)
  }

  /** The receiver stops reading, or goes on. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused
    if (!isPaused) this.#parts.up.add(this)
  }

  /** The receiver has read bytes that were delivered. */
  read(sizeBytes: number): void {
    this.#unreadBytes -= sizeBytes
  }

  /** The path is open again: goes on when TCP tries next. */
  resume(): void {
    if (this.#stalledAtMs === undefined) return
    const { clock } = this.#parts
    clock.scheduleQuiet(nextTryMs(this.#stalledAtMs, clock.nowMs, RETRANSMIT_MS), () => this.#goOn())
  }

  get isReady(): boolean {
    if (this.#stalledAtMs !== undefined) return false
    const { clock, slowStart } = this.#parts
    if (this.#marks[0] === 'open') return true
    if (this.#buffer.byteLength === 0) return this.#marks.length > 0
    if (this.#isPaused && this.#unreadBytes >= RECEIVE_BUFFER_BYTES) return false
    return slowStart === undefined || slowStart.allowance(clock.nowMs) > 0
  }

  take(maxBytes: number): Slice {
    if (this.#marks[0] === 'open' || this.#buffer.byteLength === 0) return this.#takeMark()
    const { clock, slowStart } = this.#parts
    const mostBytes =
      slowStart === undefined ? maxBytes : Math.min(maxBytes, slowStart.allowance(clock.nowMs))
    const sizeBytes = Math.min(mostBytes, this.#buffer.byteLength)
    // A copy, as a network makes one: what the receiver does to its bytes must not change the sender's.
    const bytes = this.#buffer.slice(0, sizeBytes)
    this.#buffer.consume(sizeBytes)
    this.#unreadBytes += sizeBytes
    slowStart?.onSent(sizeBytes, clock.nowMs)
    if (this.#isFull && this.#buffer.byteLength <= BUFFER_BYTES / 2) {
      this.#isFull = false
      clock.schedule(clock.nowMs, () => this.#parts.onDrain())
    }
    return { kind: 'data', bytes }
  }

  carry(slice: Slice, startMs: number, endMs: number): void {
    if (!this.#parts.isOpen()) this.#stall()
    this.#travel(slice, startMs, endMs)
  }

  #takeMark(): Slice {
    const kind = this.#marks.shift()
    assert.ok(kind !== undefined, 'nothing was ready')
    if (kind === 'fin') {
      this.#state = 'closed'
      const { clock, onFinished } = this.#parts
      clock.schedule(clock.nowMs, onFinished)
    }
    return { kind, bytes: NO_BYTES }
  }

  /** From the sender's line to the receiver's. Arrivals keep their order, whatever the jitter. */
  #travel(slice: Slice, startMs: number, endMs: number): void {
    const { clock, down } = this.#parts
    const latencyMs = this.#parts.latencyMs()
    const durationMs = down.durationMs(slice.bytes.byteLength)
    this.#lastByteMs = Math.max(this.#lastByteMs, endMs + latencyMs)
    const lastMs = this.#lastByteMs
    // The receiver's line begins so that it can have the whole slice when the last byte is there.
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, startMs + latencyMs, lastMs - durationMs)
    // A line that needs no time need not be asked.
    if (durationMs === 0) clock.schedule(lastMs, () => this.#arrive(slice, lastMs, true))
    else clock.scheduleQuiet(this.#lastArrivalMs, () => this.#arrive(slice, lastMs, false))
  }

  #arrive(slice: Slice, lastMs: number, mayDeliver: boolean): void {
    const isOpen = this.#parts.isOpen()
    if (slice.kind === 'rst' ? !isOpen : this.#mustWait(isOpen)) this.#hold(slice)
    else if (mayDeliver && this.#arrivals.isEmpty) this.#deliver(slice)
    else this.#arrivals.add(slice, lastMs)
  }

  /** Also once the path is open again: what was lost before comes first. */
  #mustWait(isOpen: boolean): boolean {
    if (!isOpen) this.#stall()
    return this.#stalledAtMs !== undefined
  }

  #hold(slice: Slice): void {
    if (slice.kind !== 'rst' && !this.#isSilent) this.#held.push(slice)
  }

  #stall(): void {
    if (this.#stalledAtMs !== undefined) return
    this.#stalledAtMs = this.#parts.clock.nowMs
    this.#parts.onStalled(this)
  }

  #goOn(): void {
    // Broken again before the try.
    if (!this.#parts.isOpen()) return this.#parts.onStalled(this)
    this.#stalledAtMs = undefined
    const { nowMs } = this.#parts.clock
    for (const slice of this.#held.splice(0)) this.#travel(slice, nowMs, nowMs)
    this.#parts.up.add(this)
  }

  #deliver(slice: Slice): void {
    const { clock, slowStart } = this.#parts
    if (slowStart !== undefined && slice.kind === 'data') {
      clock.scheduleQuiet(clock.nowMs + this.#parts.backMs(), () => {
        slowStart.onAcked(slice.bytes.byteLength)
        this.#parts.up.add(this)
      })
    }
    this.#parts.deliver(slice)
  }
}

/** The first time at or after `nowMs` at which TCP tries again what was lost at `lostAtMs`. */
export function nextTryMs(lostAtMs: number, nowMs: number, firstPauseMs: number): number {
  let pauseMs = firstPauseMs
  let tryMs = lostAtMs + pauseMs
  while (tryMs < nowMs) {
    pauseMs = Math.min(RETRANSMIT_MAX_MS, pauseMs * 2)
    tryMs += pauseMs
  }
  return tryMs
}
