/**
 * A socket: one end of a connection, as a program sees it.
 *
 * Rules:
 * - Everything that it tells its owner, it tells inside the owner's process, and a dead process hears nothing.
 * - Data for a socket that is closed, or whose process is gone, is answered with a reset: so the other side of a
 *   crash learns of it when the host is back, and not before.
 * - The other side's end closes this side too, after what was written has left (libp2p's TCP has no half-open
 *   sockets).
 */
import { crc32 } from 'node:zlib'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Slice } from './line.ts'
import type { Pipe } from './pipe.ts'
import type { SimProcess } from './process.ts'

/** What the owner of a socket hears. */
export interface SocketEvents {
  /** The bytes are the owner's. */
  onData(bytes: Uint8Array): void
  /** There is room for writes again. */
  onDrain(): void
  /** The other side has ended; nothing more comes. */
  onEnd(): void
  /** The connection is broken; nothing more comes or goes. */
  onReset(): void
}

export interface SocketParts {
  /** Number of the connection in the trace; both ends have the same. */
  readonly id: number
  readonly process: SimProcess
  readonly remoteName: string
  readonly remoteIp: string
  readonly remotePort: number
  readonly trace: (kind: string, what: string) => void
  /** Nothing more comes or goes. */
  readonly onClosed: (socket: Socket) => void
}

export class Socket {
  readonly #parts: SocketParts
  readonly #unread: Slice[] = []
  #pipes: { readonly out: Pipe; readonly in: Pipe } | undefined
  #events: SocketEvents | undefined
  #isEnding = false
  #isPaused = false
  #isClosed = false

  constructor(parts: SocketParts) {
    this.#parts = parts
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** The owner has ended it, and some of what was written has yet to leave. */
  get isEnding(): boolean {
    return this.#isEnding && !this.#isClosed
  }

  get process(): SimProcess {
    return this.#parts.process
  }

  get remoteIp(): string {
    return this.#parts.remoteIp
  }

  get remotePort(): number {
    return this.#parts.remotePort
  }

  /** Joins the two directions, which need the socket to be made. */
  join(out: Pipe, incoming: Pipe): void {
    this.#pipes = { out, in: incoming }
  }

  /** Sets the owner; what came before is told now. */
  attach(events: SocketEvents): void {
    if (this.#isClosed) return
    this.#events = events
    this.#flush()
  }

  /** @returns false when the buffer is full; all bytes were taken nevertheless, and `onDrain` comes */
  write(bytes: Uint8Array | Uint8ArrayList): boolean {
    return this.#pipes?.out.write(bytes) ?? true
  }

  /** Ends this side, as `close` of a program does: the owner hears nothing more, what was written still leaves. */
  end(): void {
    if (this.#isClosed) return
    this.#isEnding = true
    this.#unread.length = 0
    this.#pipes?.in.pause(false)
    this.#pipes?.out.finish()
  }

  /** Breaks the connection, and tells the other side. */
  reset(): void {
    if (this.#isClosed) return
    this.#pipes?.out.reset()
    this.#close()
  }

  /** Breaks the connection, and tells nobody but the owner. */
  cut(): void {
    if (this.#isClosed) return
    this.#pipes?.out.silence()
    this.#close(events => events.onReset())
  }

  /** Nothing more is said or heard here, and nobody is told: the process is gone. */
  die(): void {
    this.#pipes?.out.silence()
    this.#close()
  }

  /** Stops reading, or goes on. */
  pause(isPaused: boolean): void {
    if (this.#isClosed) return
    this.#isPaused = isPaused
    this.#pipes?.in.pause(isPaused)
    this.#flush()
  }

  /** The buffer has room again. */
  onDrain(): void {
    this.#tell(events => events.onDrain())
  }

  /** The end has left. */
  onFinished(): void {
    this.#close()
  }

  /** Something has arrived. */
  receive(slice: Slice): void {
    const { id, process, remoteName, trace } = this.#parts
    const what = `${remoteName}>${process.name} #${id}`
    trace(
      slice.kind,
      slice.kind === 'data' ? `${what} ${slice.bytes.byteLength} ${checksum(slice.bytes)}` : what,
    )
    if (this.#isClosed) {
      if (slice.kind === 'data') this.#pipes?.out.reset()
    } else if (!this.#isEnding) {
      this.#unread.push(slice)
      this.#flush()
    } else if (slice.kind === 'rst') this.die()
  }

  #flush(): void {
    while (this.#events !== undefined && !this.#isPaused && !this.#isClosed) {
      const slice = this.#unread.shift()
      if (slice === undefined) return
      this.#pipes?.in.read(slice.bytes.byteLength)
      this.#take(slice)
    }
  }

  #take({ kind, bytes }: Slice): void {
    switch (kind) {
      case 'data':
        return this.#tell(events => events.onData(bytes))
      case 'fin':
        this.#pipes?.out.finish()
        return this.#tell(events => events.onEnd())
      case 'rst':
        this.#pipes?.out.silence()
        return this.#close(events => events.onReset())
      case 'open':
        return
      default:
        kind satisfies never
    }
  }

  #tell(say: (events: SocketEvents) => void): void {
    const { process } = this.#parts
    const events = this.#events
    if (events === undefined || this.#isEnding || !process.isAlive) return
    process.run(() => say(events))
  }

  /** The owner is let go: otherwise a node that is gone would stay in memory as long as those it was connected with. */
  #close(last: (events: SocketEvents) => void = () => {}): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#unread.length = 0
    this.#parts.onClosed(this)
    this.#tell(last)
    this.#events = undefined
  }
}

function checksum(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0')
}
