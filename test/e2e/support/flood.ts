/**
 * A flood of TCP connections that never become one of libp2p: they hold the places in which others would shake hands.
 */
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** The first words of every libp2p connection. */
const HEADER = Buffer.from('\x13/multistream/1.0.0\n')

/** What the sockets do, in turn. */
const KINDS = ['silent', 'slow', 'half-closed', 'half a handshake'] as const

/** A socket is opened so often, unless so many are open. */
const PERIOD_MS = 4
const OPEN_MAX = 200

/** How often the slow ones send a byte. */
const BYTE_PERIOD_MS = 1_000

export class Flood {
  /** Sockets that were opened since the start. */
  opened = 0
  /** The most that were open at once. */
  most = 0
  readonly #port: number
  readonly #host: string
  readonly #ips: readonly string[]
  readonly #open = new Set<Socket>()
  readonly #slow = new Map<Socket, number>()
  readonly #timers: NodeJS.Timeout[]

  constructor(port: number, host: string, ips: readonly string[]) {
    this.#port = port
    this.#host = host
    this.#ips = ips
    this.#timers = [
      setInterval(() => this.#next(), PERIOD_MS),
      setInterval(() => this.#drip(), BYTE_PERIOD_MS),
    ]
  }

  /** Sockets that are open now. */
  get open(): number {
    return this.#open.size
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
    for (const socket of this.#open) socket.destroy()
  }

  #next(): void {
    if (this.#open.size >= OPEN_MAX) return
    const kind = KINDS[this.opened % KINDS.length]
    const localAddress = this.#ips[this.opened % this.#ips.length] ?? ''
    this.opened++
    const allowHalfOpen = kind === 'half-closed'
    const socket = connect({ port: this.#port, host: this.#host, localAddress, allowHalfOpen })
    socket.on('error', () => {})
    socket.on('connect', () => {
      this.#open.add(socket)
      this.most = Math.max(this.most, this.#open.size)
      if (kind === 'slow') this.#slow.set(socket, 0)
      if (kind === 'half-closed') socket.end()
      if (kind === 'half a handshake') socket.write(HEADER)
    })
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      this.#open.delete(socket)
      this.#slow.delete(socket)
    })
    // What comes is thrown away, or the end would never be seen.
    socket.resume()
  }

  #drip(): void {
    for (const [socket, sent] of this.#slow) {
      socket.write(HEADER.subarray(sent, sent + 1))
      this.#slow.set(socket, sent + 1)
    }
  }
}

/** Begins a flood from the given addresses; it ends with its test. */
export function startFlood(t: TestContext, port: number, host: string, ips: readonly string[]): Flood {
  const flood = new Flood(port, host, ips)
  t.after(() => flood.stop())
  return flood
}
