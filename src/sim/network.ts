/**
 * The network between the hosts: who reaches whom, how long it takes, and how connections come about.
 *
 * Rules:
 * - A partition is a black hole: packets across it vanish, nobody is told, and what TCP would send again goes on
 *   after it has healed. The same holds for a host that is down.
 * - A port on which nobody listens refuses; an address that nobody has is silent.
 * - All randomness (jitter) comes from the seed.
 */
import assert from 'node:assert/strict'
import type { Random } from '../core/random.ts'
import type { VirtualClock } from './clock.ts'
import { dial } from './dial.ts'
import { Host, type HostOptions } from './host.ts'
import { Pipe } from './pipe.ts'
import type { SimProcess } from './process.ts'
import { SlowStart } from './slow-start.ts'
import { Socket } from './socket.ts'
import type { Trace } from './trace.ts'

export interface NetworkOptions {
  /** One way, by the names of the hosts; at least 0. */
  readonly latencyMs: (from: string, to: string) => number
  /** Up to this much is added to the latency of each slice. */
  readonly jitterMs: number
  /** TCP's slow start (`slow-start.ts`); without it a connection fills its line from the first byte. */
  readonly slowStart: boolean
}

/** One side of a connection, from its begin. */
interface End {
  readonly host: Host
  readonly process: SimProcess
}

export class Network {
  readonly #clock: VirtualClock
  readonly #options: NetworkOptions
  readonly #random: Random
  readonly #trace: Trace
  readonly #hosts = new Map<string, Host>()
  readonly #stalled = new Map<Pipe, () => boolean>()
  #connections = 0

  constructor(clock: VirtualClock, options: NetworkOptions, random: Random, trace: Trace) {
    this.#clock = clock
    this.#options = options
    this.#random = random
    this.#trace = trace
  }

  add(options: HostOptions): Host {
    assert.ok(!this.#hosts.has(options.ip), `${options.ip} is taken`)
    const host = new Host(this.#clock, options)
    this.#hosts.set(host.ip, host)
    return host
  }

  /** Hosts of different groups no longer reach each other; those in none reach everyone. */
  partition(groups: readonly (readonly Host[])[]): void {
    for (const host of this.#hosts.values()) host.group = undefined
    for (const [index, group] of groups.entries()) {
      for (const host of group) host.group = index
    }
    this.onChange()
  }

  heal(): void {
    this.partition([])
  }

  /** A host has come back, or a partition has changed: what was held up goes on where it can. */
  onChange(): void {
    for (const [pipe, isOpen] of [...this.#stalled]) {
      if (!isOpen()) continue
      this.#stalled.delete(pipe)
      pipe.resume()
    }
  }

  /** Breaks all connections between two hosts, as a middlebox does that forgets them: both sides hear of it. */
  reset(a: Host, b: Host): void {
    for (const host of [a, b]) {
      const other = host === a ? b : a
      for (const socket of [...host.sockets]) if (socket.remoteIp === other.ip) socket.cut()
    }
  }

  /** Opens a connection; `dial.ts` says how long that takes, and what it throws. */
  dial(from: Host, ip: string, port: number, signal: AbortSignal): Promise<Socket> {
    const { process } = from
    assert.ok(process !== undefined, `nothing runs on ${from.name}`)
    // An address that nobody has is as silent as a host that is down.
    const to = this.#hosts.get(ip)
    return dial({
      clock: this.#clock,
      process,
      address: `${ip}:${port}`,
      signal,
      ask: answered => {
        this.#trace.add(this.#clock.nowMs, 'syn', `${from.name}>${to?.name ?? ip}`)
        if (to !== undefined) this.#ask({ host: from, process }, to, port, answered)
      },
    })
  }

  #ask(from: End, to: Host, port: number, answered: (connect: (() => Socket) | undefined) => void): void {
    this.#packet(from.host, to, () => {
      const { process } = to
      const isListening = process !== undefined && to.acceptor(port) !== undefined
      this.#packet(to, from.host, () =>
        answered(isListening ? () => this.#connect(from, { host: to, process }, port) : undefined),
      )
    })
  }

  /** Sends a packet without content, which is lost where the path is broken. */
  #packet(from: Host, to: Host, onArrived: () => void): void {
    this.#clock.schedule(this.#clock.nowMs + this.#latencyMs(from, to), () => {
      if (isOpen(from, to)) onArrived()
    })
  }

  #connect(from: End, to: End, port: number): Socket {
    const id = ++this.#connections
    const near = this.#socket(id, from, to.host, port)
    const far = this.#socket(id, to, from.host, from.host.freePort())
    const there = this.#pipe(from.host, to.host, near, far, () => accept(to, port, far))
    const back = this.#pipe(to.host, from.host, far, near, () => {})
    near.join(there, back)
    far.join(back, there)
    there.open()
    return near
  }

  #socket(id: number, { host, process }: End, remote: Host, remotePort: number): Socket {
    const socket = new Socket({
      id,
      process,
      remoteName: remote.name,
      remoteIp: remote.ip,
      remotePort,
      trace: (kind, what) => this.#trace.add(this.#clock.nowMs, kind, what),
      onClosed: () => host.sockets.delete(socket),
    })
    host.sockets.add(socket)
    return socket
  }

  #pipe(from: Host, to: Host, near: Socket, far: Socket, onOpen: () => void): Pipe {
    const isPassable = (): boolean => isOpen(from, to)
    const roundTripMs =
      this.#options.latencyMs(from.name, to.name) + this.#options.latencyMs(to.name, from.name)
    return new Pipe({
      clock: this.#clock,
      up: from.up,
      down: to.down,
      slowStart: this.#options.slowStart ? new SlowStart(roundTripMs) : undefined,
      latencyMs: () => this.#latencyMs(from, to),
      backMs: () => this.#latencyMs(to, from),
      isOpen: isPassable,
      onStalled: pipe => this.#stalled.set(pipe, isPassable),
      onAbandoned: pipe => this.#stalled.delete(pipe),
      deliver: slice => {
        // Lost in the last mile; the host may be down by the time that its line has carried it.
        if (!to.isUp) return
        far.receive(slice)
        if (slice.kind === 'open') onOpen()
      },
      onDrain: () => near.onDrain(),
      onFinished: () => near.onFinished(),
    })
  }

  #latencyMs(from: Host, to: Host): number {
    const { latencyMs, jitterMs } = this.#options
    const baseMs = latencyMs(from.name, to.name)
    return jitterMs === 0 ? baseMs : baseMs + this.#random.fraction() * jitterMs
  }
}

function accept({ host, process }: End, port: number, socket: Socket): void {
  const take = host.acceptor(port)
  // It has stopped listening since the dial began, or another process does.
  if (take === undefined || host.process !== process) socket.reset()
  else process.run(() => take(socket))
}

function isOpen(from: Host, to: Host): boolean {
  const isApart = from.group !== undefined && to.group !== undefined && from.group !== to.group
  return from.isUp && to.isUp && !isApart
}
