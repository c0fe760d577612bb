/**
 * Networks of whole nodes, and hostile peers among them, for the tests of what travels beside gossip.
 *
 * A program imports this before anything that is not its own: globals are virtual from then on. Each of its cases has
 * nodes and a topic of its own, in one world; what all have found out is one JSON value.
 */
import type { ConfigInput } from '../../../src/config/schema.ts'
import type { Offence } from '../../../src/core/offences.ts'
import type { PeerId } from '../../../src/core/types.ts'
import type { Handler, TopicOptions } from '../../../src/core/upper.ts'
import type { Node, TopicStats } from '../../../src/node.ts'
import { installVirtualGlobals } from '../../../src/sim/globals.ts'
import type { SimNode } from '../../../src/sim/sim-node.ts'
import type { HostInput } from '../../../src/sim/world.ts'

const { reality } = installVirtualGlobals()
const { World } = await import('../../../src/sim/world.ts')
const { openHostile } = await import('./spread-hostile.ts')
type Hostile = import('./spread-hostile.ts').Hostile

const LATENCY_MS = 20

/** Until meshes have formed, announcements included. */
const WARM_UP_MS = 4_000

export interface Blame {
  readonly at: string
  readonly peer: PeerId
  readonly offence: Offence
  readonly detail: string
}

export interface CaseOptions {
  readonly count: number
  /** By the indices of nodes; all with all without it. */
  readonly links?: readonly (readonly [number, number])[]
  readonly topic?: TopicOptions
  /** Of a node, by its index, on top of `topic`. */
  readonly topicOf?: (index: number) => TopicOptions
  readonly handler?: Handler
  /** Of a node, in place of `handler`. */
  readonly handlerOf?: (node: SimNode) => Handler
  readonly config?: ConfigInput
  readonly place?: (index: number) => Partial<HostInput>
}

const world = new World({ seed: process.argv.slice(2).join(), latencyMs: () => LATENCY_MS })

/** One case: some nodes, a topic, and what they saw. */
export class SpreadNet {
  readonly world = world
  readonly topic: string
  readonly nodes: SimNode[] = []
  readonly blames: Blame[] = []
  /** What nodes have accepted: text of the key (`note` of the payload) → name of the node → virtual time. */
  readonly #got = new Map<string, Map<string, number>>()
  readonly #repeats: string[] = []
  readonly #options: CaseOptions
  #made = 0

  constructor(name: string, options: CaseOptions) {
    this.topic = name
    this.#options = options
  }

  /** Makes the nodes, starts them, connects them, and lets their meshes form. */
  static async open(name: string, options: CaseOptions): Promise<SpreadNet> {
    const net = new SpreadNet(name, options)
    await net.start()
    return net
  }

  async start(): Promise<void> {
    const { count, links } = this.#options
    for (let index = 0; index < count; index++) await this.add()
    await world.start(this.nodes)
    const all = this.nodes.flatMap((_, from) => this.nodes.slice(0, from).map((_, to) => [from, to] as const))
    await this.connect(links ?? all)
    await world.run(WARM_UP_MS)
  }

  /** A further node, not started. */
  async add(): Promise<SimNode> {
    const { config, place, topic, topicOf, handlerOf, handler = () => 'accept' } = this.#options
    const index = this.#made++
    const node = await world.add({
      name: `${this.topic}-${index}`,
      ...place?.(index),
      config: { onlyPeers: true, score: { dropBelow: null }, ...config },
      setUp: (made, self) => {
        const { name } = self
        made.subscribe(this.topic, handlerOf?.(self) ?? handler, { ...topic, ...topicOf?.(index) })
        made.on('message', ({ payload }) => this.#onMessage(name, payload))
        made.on('offence', (peer, offence, detail) => this.blames.push({ at: name, peer, offence, detail }))
      },
    })
    this.nodes.push(node)
    return node
  }

  async connect(links: readonly (readonly [number, number])[]): Promise<void> {
    await world.connect(links.map(([from, to]) => [this.node(from), this.node(to)] as const))
  }

  node(index: number): SimNode {
    const node = this.nodes[index]
    if (node === undefined) throw new Error(`there is no node ${index}`)
    return node
  }

  /** A peer that only looks like a node, connected to some of them. */
  async hostile(name: string, victims: readonly number[]): Promise<Hostile> {
    const hostile = await openHostile(world, `${this.topic}-${name}`, this.topic)
    for (const index of victims) await hostile.dial(this.node(index))
    await world.run(WARM_UP_MS)
    return hostile
  }

  async propagate(index: number, payload: Uint8Array): Promise<Awaited<ReturnType<Node['propagate']>>> {
    return await world.until(
      this.node(index).call(node => node.propagate(this.topic, payload)),
      60_000,
    )
  }

  /** Until so many nodes have accepted a payload: the time that it took, or undefined. */
  async until(payload: Uint8Array, count: number, withinMs: number): Promise<number | undefined> {
    const fromMs = world.nowMs
    while (this.reached(payload).length < count) {
      if (world.nowMs - fromMs >= withinMs) return undefined
      await world.run(20)
    }
    return world.nowMs - fromMs
  }

  /** The indices of the nodes that have accepted a payload. */
  reached(payload: Uint8Array): number[] {
    const names = this.#got.get(digest(payload))
    return this.nodes.flatMap(({ name }, index) => (names?.has(name) === true ? [index] : []))
  }

  /** When a node has accepted a payload. */
  reachedAtMs(payload: Uint8Array, index: number): number | undefined {
    return this.#got.get(digest(payload))?.get(this.node(index).name)
  }

  /** What was accepted twice at a node, which must never be. */
  get repeats(): readonly string[] {
    return this.#repeats
  }

  /** Who was blamed for what by how many nodes; nodes by their indices, others by their names. */
  blamed(names: ReadonlyMap<PeerId, string> = new Map()): Record<string, string[]> {
    const found: Record<string, Set<string>> = {}
    for (const { peer, offence } of this.blames) {
      const index = this.nodes.findIndex(node => node.peer === peer)
      const name = index === -1 ? (names.get(peer) ?? peer) : `node ${index}`
      found[name] = (found[name] ?? new Set()).add(offence)
    }
    return Object.fromEntries(Object.entries(found).map(([name, offences]) => [name, [...offences].sort()]))
  }

  /** The indices of the nodes that have blamed a peer. */
  accusers(peer: PeerId): number[] {
    const names = new Set(this.blames.filter(blame => blame.peer === peer).map(({ at }) => at))
    return this.nodes.flatMap(({ name }, index) => (names.has(name) ? [index] : []))
  }

  /** Of a peer, at a node; undefined when it is not connected. */
  score(index: number, peer: PeerId): number | undefined {
    return this.node(index).call(node => node.peers().find(info => info.peer === peer)?.score)
  }

  /** The worst score that any node has of any other. */
  worstScore(): number {
    const peers = new Set(this.nodes.map(({ peer }) => peer))
    const scores = this.nodes
      .filter(({ node }) => node !== undefined)
      .flatMap(node => node.call(made => made.peers()).filter(({ peer }) => peers.has(peer)))
      .map(({ score }) => score)
    return Math.min(0, ...scores)
  }

  stats(index: number): TopicStats | undefined {
    return this.node(index).call(node => node.topicStats(this.topic))
  }

  /** What a node has counted, for the one series of a metric that has a label. */
  async metric(index: number, name: string, label = ''): Promise<number> {
    const text = await world.until(
      this.node(index).call(node => node.metrics()),
      10_000,
    )
    const line = text.split('\n').find(one => one.startsWith(name) && one.includes(label))
    return Number(line?.split(' ').at(-1) ?? Number.NaN)
  }

  /** The same, of all nodes. */
  async metrics(name: string, label = ''): Promise<number[]> {
    const values: number[] = []
    for (const index of this.nodes.keys()) values.push(await this.metric(index, name, label))
    return values
  }

  async close(): Promise<void> {
    await world.stop(this.nodes.filter(({ node }) => node !== undefined))
  }

  #onMessage(name: string, payload: Uint8Array): void {
    const key = digest(payload)
    const names = this.#got.get(key) ?? new Map<string, number>()
    this.#got.set(key, names)
    if (names.has(name)) this.#repeats.push(`${name} ${key.slice(0, 40)}`)
    else names.set(name, world.nowMs)
  }
}

/** Names a payload by its length and both of its ends; the cases' payloads differ there. */
function digest(payload: Uint8Array): string {
  const ends = Buffer.concat([payload.subarray(0, 64), payload.subarray(-64)])
  return `${payload.byteLength} ${ends.toString('latin1')}`
}

/** A payload that is no other's: a text, and pseudo-random bytes behind it. */
export function payloadOf(text: string, sizeBytes: number): Uint8Array {
  const payload = Buffer.alloc(sizeBytes)
  let state = 0x9e3779b9
  for (let at = 0; at + 4 <= sizeBytes; at += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    payload.writeInt32LE(state | 0, at)
  }
  payload.write(text.slice(0, sizeBytes))
  // Not a view, of which a slice would be no copy.
  return Uint8Array.from(payload)
}

/** Real milliseconds, for the cost of a case. */
export const realMs = (): number => reality.nowMs()

/** Runs the cases that the arguments name, or all, one after the other. */
export async function runCases(cases: Record<string, () => Promise<unknown>>): Promise<void> {
  const only = process.argv.slice(2)
  const findings: Record<string, unknown> = {}
  for (const [name, run] of Object.entries(cases)) {
    if (only.length > 0 && !only.includes(name)) continue
    const startMs = realMs()
    findings[name] = await run().catch(error => ({ error: `${(error as Error).stack}` }))
    if (process.env.SPREAD_TIMES !== undefined) console.error(name, Math.round(realMs() - startMs), 'ms')
  }
  process.stdout.write(JSON.stringify(findings))
}
