/**
 * A network of one variant in a lab of its own: a process for each node, each on a host of its own.
 *
 * Rule: each network has fresh hosts and fresh processes. The kernel remembers for a host what it has learnt of a path,
 * and caches and heaps remember what was sent before: a later variant would run on what an earlier one left.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Random } from '../../src/core/random.ts'
import { Lab, type LabStats } from '../../test/lab/support/lab.ts'
import { Child } from '../support/child.ts'
import type { VariantName } from './names.ts'
import type { Born, NodeState, RequestName, Requests } from './protocol.ts'

const PROGRAM = fileURLToPath(new URL('./node.ts', import.meta.url))

export interface NetworkPlan {
  readonly variant: VariantName
  readonly nodes: number
  /** Neighbours of each node; rounded down to an even number. */
  readonly connections: number
  readonly latencyMs: number
  readonly upMbit: number
  /** How much may wait before each uplink; what comes then is dropped. */
  readonly queueMs: number
  /** Shuffles who is whose neighbour. */
  readonly seed: string
  readonly isUrgent: boolean
  /** A folder for CPU profiles of the processes. */
  readonly profile: string | undefined
}

/** Starting a node takes half a second of a core, which is much on a busy machine. */
const START_MS = 120_000

/** How many processes start at the same time. */
const STARTING_MAX = 4

/** After the last node has seen all its neighbours: heartbeats that complete the mesh, and channels that open. */
const SETTLE_MS = 3_000

const POLL_MS = 200

/** Nothing goes on any more when all nodes together receive less than this in this time: heartbeats and pings. */
const QUIET_BYTES = 64_000
const QUIET_MS = 500

/** A node's mesh is there with so many peers in it, for the variants all have 6 as their aim and 4 as their least. */
const MESH_LEAST = 4

export class Network {
  readonly #plan: NetworkPlan
  readonly #lab = new Lab()
  readonly #children: Child[] = []

  constructor(plan: NetworkPlan) {
    this.#plan = plan
  }

  /** Makes the lab, starts the nodes, connects them, and waits for their meshes. */
  async start(): Promise<void> {
    const { variant, nodes, latencyMs, upMbit, queueMs, isUrgent, profile } = this.#plan
    this.#lab.up(nodes, [`lat * * ${latencyMs}`, `rate * ${upMbit} 0`, `queue * ${queueMs}`])
    const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
    const args = [...profiling, PROGRAM, variant, ...(isUrgent ? ['urgent'] : [])]
    const addresses: string[] = []
    while (addresses.length < nodes) {
      const starting = Array.from({ length: Math.min(STARTING_MAX, nodes - addresses.length) }, (_, i) => {
        const host = String(addresses.length + i + 1)
        const wrapper = this.#lab.wrapper.map(word => word.replaceAll('{i}', host))
        return new Child(`${variant} ${host}`, args, wrapper)
      })
      this.#children.push(...starting)
      const born = await within(Promise.all(starting.map(child => child.answer<Born>())), 'starting')
      addresses.push(...born.map(({ address }) => address))
    }
    const dialled = ring(nodes, this.#plan.connections, new Random(this.#plan.seed))
    await within(
      this.each((node, ask) =>
        ask('dial', { addresses: (dialled[node] ?? []).map(to => addresses[to] ?? '') }),
      ),
      'dialling',
    )
    await this.#formed()
    await sleep(SETTLE_MS)
    await this.each((_, ask) => ask('settled', {}))
  }

  /** Asks one node. */
  async ask<N extends RequestName>(
    node: number,
    request: N,
    given: Requests[N]['with'],
  ): Promise<Requests[N]['answer']> {
    const child = this.#children[node]
    if (child === undefined) throw new RangeError(`there is no node ${node}`)
    return await child.ask<Requests[N]['answer']>({ do: request, with: given })
  }

  /** Something for each node at the same time, in their order. */
  async each<T>(what: (node: number, ask: BoundAsk) => Promise<T>): Promise<T[]> {
    return await Promise.all(
      this.#children.map((_, node) => what(node, (request, given) => this.ask(node, request, given))),
    )
  }

  async states(): Promise<NodeState[]> {
    return await this.each((_, ask) => ask('state', {}))
  }

  /** What the switch has counted; lateness since the last call. */
  stats(): LabStats {
    return this.#lab.stats()
  }

  /** Resolves when what was sent is through, late copies included, or after the time. */
  async quiet(patienceMs: number): Promise<void> {
    const untilMs = performance.now() + patienceMs
    let before = received(await this.states())
    while (performance.now() < untilMs) {
      await sleep(QUIET_MS)
      const now = received(await this.states())
      if (now - before < QUIET_BYTES) return
      before = now
    }
  }

  /** Ends the processes and removes the lab; also good after a start that failed. */
  async stop(): Promise<void> {
    try {
      await Promise.all(this.#children.map(child => child.stop()))
    } finally {
      this.#lab.down()
    }
  }

  async #formed(): Promise<void> {
    const { nodes, connections } = this.#plan
    const neighbours = 2 * reach(nodes, connections)
    const isFormed = ({ peers, subscribers, meshPeers }: NodeState): boolean =>
      peers === neighbours && subscribers === neighbours && meshPeers >= Math.min(MESH_LEAST, neighbours)
    const untilMs = performance.now() + START_MS
    for (;;) {
      const states = await this.states()
      if (states.every(isFormed)) return
      if (performance.now() > untilMs) {
        const seen = states.map(({ peers, subscribers, meshPeers }) => `${peers}/${subscribers}/${meshPeers}`)
        throw new Error(`the network did not form; peers/subscribers/mesh: ${seen.join(' ')}`)
      }
      await sleep(POLL_MS)
    }
  }
}

type BoundAsk = <N extends RequestName>(
  request: N,
  given: Requests[N]['with'],
) => Promise<Requests[N]['answer']>

/** To how many on each side a node of the ring is connected. */
function reach(nodes: number, connections: number): number {
  return Math.max(1, Math.min(connections >> 1, (nodes - 1) >> 1))
}

/**
 * For each node whom it dials: on a ring in random order, those next to it, so that all have the same number of
 * neighbours, and half of their connections go out.
 */
function ring(nodes: number, connections: number, random: Random): number[][] {
  const order: number[] = []
  const left = Array.from({ length: nodes }, (_, node) => node)
  while (left.length > 0) order.push(...left.splice(random.below(left.length), 1))
  const dialled: number[][] = Array.from({ length: nodes }, () => [])
  for (const [place, node] of order.entries()) {
    const next = Array.from({ length: reach(nodes, connections) }, (_, step) => (place + step + 1) % nodes)
    dialled[node] = next.map(to => order[to] ?? 0)
  }
  return dialled
}

function received(states: readonly NodeState[]): number {
  return states.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new Error(`${what} took more than ${START_MS / 1_000} s`)),
    START_MS,
  )
  return await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer))
}
