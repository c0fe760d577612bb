/**
 * A host: an address on the simulated network, its two lines, and the sockets of the process that runs there.
 *
 * It outlives its processes. When one has ended, dials are refused; when the power has failed, packets to the host are
 * lost without a word; when the next one runs, what still belongs to an old one is reset.
 */
import assert from 'node:assert/strict'
import type { VirtualClock } from './clock.ts'
import { Line } from './line.ts'
import type { SimProcess } from './process.ts'
import type { Socket } from './socket.ts'

/** A line's rate where none is given: never the bottleneck. */
export const UNLIMITED = Number.POSITIVE_INFINITY

/** Ports of dialling sockets, as Linux has them. */
const FIRST_EPHEMERAL_PORT = 32_768
const LAST_PORT = 60_999

export interface HostOptions {
  readonly name: string
  /** Four numbers with dots. */
  readonly ip: string
  readonly upBitsPerSecond?: number
  readonly downBitsPerSecond?: number
}

/** Takes what has connected to a port. */
export type Accept = (socket: Socket) => void

export class Host {
  readonly name: string
  readonly ip: string
  readonly up: Line
  readonly down: Line
  readonly sockets = new Set<Socket>()
  /** Hosts of different groups cannot reach each other. Undefined: reaches everyone. */
  group: number | undefined
  readonly #ports = new Map<number, Accept>()
  #process: SimProcess | undefined
  #isUp = false
  #nextPort = FIRST_EPHEMERAL_PORT

  constructor(clock: VirtualClock, options: HostOptions) {
    this.name = options.name
    this.ip = options.ip
    this.up = new Line(clock, options.upBitsPerSecond ?? UNLIMITED)
    this.down = new Line(clock, options.downBitsPerSecond ?? UNLIMITED)
  }

  /** It has power: it answers, if only to refuse. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** The process that runs here. */
  get process(): SimProcess | undefined {
    return this.#process
  }

  /** Starts a process, and the host if it was down. */
  boot(process: SimProcess): void {
    assert.ok(this.#process === undefined, `${this.name} has a process`)
    this.#process = process
    this.#isUp = true
  }

  /** The process ends: the system resets what it has left open, and sends on what it had written before. */
  exit(): void {
    for (const socket of [...this.sockets]) if (!socket.isEnding) socket.reset()
    this.#vacate()
  }

  /** The power fails, and nobody is told. */
  fail(): void {
    this.#isUp = false
    for (const socket of [...this.sockets]) socket.die()
    this.#vacate()
  }

  /** @throws Error EADDRINUSE */
  listen(port: number, accept: Accept): void {
    if (this.#ports.has(port)) throw withCode('EADDRINUSE', `address already in use ${this.ip}:${port}`)
    this.#ports.set(port, accept)
  }

  unlisten(port: number): void {
    this.#ports.delete(port)
  }

  acceptor(port: number): Accept | undefined {
    return this.#ports.get(port)
  }

  /** A free port, each in turn. */
  freePort(): number {
    const port = this.#nextPort
    this.#nextPort = port === LAST_PORT ? FIRST_EPHEMERAL_PORT : port + 1
    return this.#ports.has(port) ? this.freePort() : port
  }

  #vacate(): void {
    this.#process?.kill()
    this.#process = undefined
    this.#ports.clear()
  }
}

/** An error as the system would give it. */
export function withCode(code: string, text: string): Error {
  return Object.assign(new Error(`${code}: ${text}`), { code })
}
