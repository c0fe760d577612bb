/**
 * A simulated network without nodes: hosts whose processes do nothing but connect, write and note what they hear.
 */
import assert from 'node:assert/strict'
import { Random } from '../../../src/core/random.ts'
import { VirtualClock } from '../../../src/sim/clock.ts'
import { Driver } from '../../../src/sim/driver.ts'
import type { Host } from '../../../src/sim/host.ts'
import { Network, type NetworkOptions } from '../../../src/sim/network.ts'
import { SimProcess } from '../../../src/sim/process.ts'
import type { Socket } from '../../../src/sim/socket.ts'
import { Trace } from '../../../src/sim/trace.ts'

export const PORT = 9_000

/** Longer than any dial of a test. */
const PATIENCE_MS = 120_000

/** What every connection carries, over and over: bytes that tell their place. Longer than any slice. */
const PERIOD_BYTES = 251
const PATTERN = Buffer.from(Uint8Array.from({ length: 70_000 }, (_, index) => index % PERIOD_BYTES))

/** One end of a connection: it writes the pattern, checks that it hears it, and notes everything else. */
export class Ear {
  readonly socket: Socket
  writtenBytes = 0
  receivedBytes = 0
  /** When the latest data came. */
  lastDataMs = Number.NaN
  /** All but data, as `what at time`. */
  readonly heard: string[] = []

  constructor(socket: Socket, clock: VirtualClock) {
    this.socket = socket
    const note = (what: string) => this.heard.push(`${what} at ${clock.nowMs}`)
    socket.attach({
      onData: bytes => {
        assert.ok(socket.process.isAlive, 'a dead process was told of data')
        const from = this.receivedBytes % PERIOD_BYTES
        assert.ok(PATTERN.subarray(from, from + bytes.byteLength).equals(bytes), 'bytes are out of order')
        this.receivedBytes += bytes.byteLength
        this.lastDataMs = clock.nowMs
      },
      onDrain: () => note('drain'),
      onEnd: () => note('end'),
      onReset: () => note('reset'),
    })
  }

  /** Writes the next bytes of the pattern. @returns whether there is room for more */
  write(sizeBytes: number): boolean {
    let hasRoom = true
    for (let left = sizeBytes; left > 0; ) {
      const from = this.writtenBytes % PERIOD_BYTES
      const piece = PATTERN.subarray(from, Math.min(from + left, PATTERN.byteLength))
      hasRoom = this.socket.write(piece)
      this.writtenBytes += piece.byteLength
      left -= piece.byteLength
    }
    return hasRoom
  }
}

export class Wires {
  readonly clock = new VirtualClock()
  readonly driver = new Driver(this.clock, setImmediate)
  readonly trace = new Trace()
  readonly network: Network
  #hosts = 0

  constructor(options: Partial<NetworkOptions> = {}) {
    this.network = new Network(
      this.clock,
      { latencyMs: () => 50, jitterMs: 0, slowStart: false, ...options },
      new Random('wires'),
      this.trace,
    )
  }

  /** A host with a process. */
  host(upBitsPerSecond?: number, downBitsPerSecond?: number): Host {
    const index = this.#hosts++
    const rates = {
      ...(upBitsPerSecond === undefined ? {} : { upBitsPerSecond }),
      ...(downBitsPerSecond === undefined ? {} : { downBitsPerSecond }),
    }
    const host = this.network.add({ name: `h${index}`, ip: `10.0.0.${index + 1}`, ...rates })
    host.boot(new SimProcess(host.name, host.name))
    return host
  }

  dial(from: Host, to: Host, signal = new AbortController().signal): Promise<Socket> {
    return this.network.dial(from, to.ip, PORT, signal)
  }

  /** A connection, seen from both ends; time goes on until it stands. */
  async connect(from: Host, to: Host): Promise<{ near: Ear; far: Ear }> {
    const accepted = Promise.withResolvers<Ear>()
    to.unlisten(PORT)
    to.listen(PORT, socket => accepted.resolve(new Ear(socket, this.clock)))
    const near = new Ear(await this.driver.until(this.dial(from, to), PATIENCE_MS), this.clock)
    return { near, far: await this.driver.until(accepted.promise, PATIENCE_MS) }
  }

  async run(forMs: number): Promise<void> {
    await this.driver.run(this.clock.nowMs + forMs)
  }
}

/** Whether `actual` is what `expected` is, give or take a hundredth. */
export function assertNear(actual: number, expected: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= expected / 100, `${what}: ${actual}, not ${expected}`)
}
