/**
 * A world: nodes, the network between them, and the time that they live in. One for each process of the system.
 *
 * Import it after `installVirtualGlobals`, by a dynamic import (`globals.ts` says why):
 *
 *   installVirtualGlobals()
 *   const { World } = await import('./world.ts')
 *   const world = new World({ seed: '7', latencyMs: () => 50 })
 *
 * Rules:
 * - Time stands still unless `run`, `runUntil` or `until` is awaited. A promise of a node is awaited with `until`: a
 *   plain `await` would wait for ever.
 * - The same seed and the same calls give the same trace.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { VirtualClock } from './clock.ts'
import { Driver } from './driver.ts'
import { virtualGlobals } from './globals.ts'
import type { Host, HostOptions } from './host.ts'
import { Network, type NetworkOptions } from './network.ts'
import { SimProcess } from './process.ts'
import { SimNode, type SimNodeOptions } from './sim-node.ts'
import { Trace } from './trace.ts'

export interface WorldOptions extends Partial<NetworkOptions> {
  readonly seed: string
  /** Gets every line of the trace. */
  readonly onTrace?: (line: string) => void
}

/** A node's place in the network; without `ip` it gets one, each of the first 250 in a /16 of its own. */
export type HostInput = Omit<HostOptions, 'ip'> & { readonly ip?: string }

/** How long a start or a stop may take, in virtual time. */
const PATIENCE_MS = 60_000

let worlds = 0

export class World {
  readonly trace: Trace
  readonly network: Network
  /** The process of whoever plans the run: its random numbers are from the seed too. */
  readonly process: SimProcess
  readonly #seed: string
  readonly #clock: VirtualClock
  readonly #driver: Driver
  readonly #nodes = new Map<string, SimNode>()
  #hosts = 0

  constructor(options: WorldOptions) {
    // Libraries keep state in their modules: a second world would not be the same as the first.
    assert.equal(worlds++, 0, 'a process has room for one world')
    const { clock, reality } = virtualGlobals()
    this.#seed = options.seed
    this.#clock = clock
    this.#driver = new Driver(clock, reality.setImmediate)
    this.trace = new Trace(options.onTrace)
    this.process = this.#newProcess('world', 0)
    this.network = new Network(
      clock,
      { latencyMs: () => 0, jitterMs: 0, slowStart: false, ...options },
      this.#newProcess('network', 0).random,
      this.trace,
    )
  }

  /** Milliseconds since the begin. */
  get nowMs(): number {
    return this.#clock.nowMs
  }

  /** How many events have run that called code of the nodes. */
  get events(): number {
    return this.#driver.events
  }

  /** In the order of their making. */
  nodes(): SimNode[] {
    return [...this.#nodes.values()]
  }

  /** @throws AssertionError when there is none of that name */
  node(name: string): SimNode {
    const node = this.#nodes.get(name)
    assert.ok(node !== undefined, `there is no node ${name}`)
    return node
  }

  /** Makes a node without starting it. */
  async add(input: HostInput & SimNodeOptions): Promise<SimNode> {
    assert.ok(!this.#nodes.has(input.name), `there are two nodes ${input.name}`)
    const host = this.addHost(input)
    let starts = 0
    const node = await SimNode.make(
      {
        network: this.network,
        host,
        keySeed: createHash('sha256').update(`${this.#seed}/${input.name}/key`).digest(),
        newProcess: () => this.#newProcess(input.name, starts++),
        note: (kind, detail = '') => this.note(kind, `${input.name} ${detail}`),
      },
      input,
    )
    this.#nodes.set(input.name, node)
    return node
  }

  /** A host without a node, for what is not ours: attackers, other programs. */
  addHost(input: HostInput): Host {
    const index = this.#hosts++
    return this.network.add({ ...input, ip: input.ip ?? `44.${index % 250}.${Math.floor(index / 250)}.1` })
  }

  /** A process for a host without a node. */
  newProcess(name: string): SimProcess {
    return this.#newProcess(name, 0)
  }

  /** Starts nodes, all at once. */
  async start(nodes: readonly SimNode[]): Promise<void> {
    await this.until(Promise.all(nodes.map(node => node.start())), PATIENCE_MS)
  }

  async stop(nodes: readonly SimNode[]): Promise<void> {
    await this.until(Promise.all(nodes.map(node => node.stop())), PATIENCE_MS)
  }

  /** Has each pair's first node dial its second, all at once. @throws FloodgateError when one fails */
  async connect(pairs: readonly (readonly [SimNode, SimNode])[]): Promise<void> {
    const dials = pairs.map(([from, to]) => from.call(node => node.connect(to.address)))
    await this.until(Promise.all(dials), PATIENCE_MS)
  }

  /** Lets time pass. */
  async run(forMs: number): Promise<void> {
    await this.#driver.run(this.#clock.nowMs + forMs)
  }

  async runUntil(atMs: number): Promise<void> {
    await this.#driver.run(atMs)
  }

  /** Lets time pass until a promise is settled. @throws Error when it takes longer than `withinMs` */
  async until<T>(promise: Promise<T>, withinMs: number): Promise<T> {
    return await this.#driver.until(promise, withinMs)
  }

  /** Calls `fn` at a virtual time, in the world's own process. */
  at(atMs: number, fn: () => void): void {
    this.#clock.schedule(atMs, () => this.process.run(fn))
  }

  /**
   * Real work that leaves the thread. Virtual time stands still until it has ended, so that the run is the same
   * however long it takes.
   */
  offload<T>(work: () => Promise<T>): Promise<T> {
    return this.#driver.offload(work)
  }

  /** Nodes of different groups no longer reach each other; those in none reach everyone. */
  partition(groups: readonly (readonly SimNode[])[]): void {
    this.note('partition', groups.map(group => group.map(node => node.name).join()).join(' | '))
    this.network.partition(groups.map(group => group.map(node => node.host)))
  }

  heal(): void {
    this.note('heal', '')
    this.network.heal()
  }

  /** Breaks the connections between two nodes. */
  resetLink(a: SimNode, b: SimNode): void {
    this.note('reset', `${a.name} ${b.name}`)
    this.network.reset(a.host, b.host)
  }

  /** Writes a line into the trace, which counts for its hash. */
  note(kind: string, what: string): void {
    this.trace.add(this.#clock.nowMs, kind, what)
  }

  #newProcess(name: string, start: number): SimProcess {
    return new SimProcess(name, `${this.#seed}/${name}/${start}`)
  }
}
