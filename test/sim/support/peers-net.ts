/**
 * Networks of whole nodes that find each other by themselves, for the tests of peers.
 *
 * A program imports this before anything that is not its own: globals are virtual from then on.
 */
import type { ConfigInput } from '../../../src/config/schema.ts'
import type { Address, PeerId } from '../../../src/core/types.ts'
import type { PeerInfo } from '../../../src/peers/view.ts'
import { installVirtualGlobals } from '../../../src/sim/globals.ts'
import type { SimNode } from '../../../src/sim/sim-node.ts'
import type { World as WorldType } from '../../../src/sim/world.ts'

installVirtualGlobals()
const { World } = await import('../../../src/sim/world.ts')

const TOPIC = 'peers'

export interface NetOptions {
  readonly seed: string
  /** How many nodes. */
  readonly count: number
  /** Of a node, by its index. */
  readonly config?: (index: number) => ConfigInput
  /** Of a node; a network group of its own without it. */
  readonly ip?: (index: number) => string
  /** The indices of those in a node's bootstrap list. */
  readonly bootstrap?: (index: number) => readonly number[]
  /** The indices of those that a node keeps connected. */
  readonly peers?: (index: number) => readonly number[]
  readonly onTrace?: (line: string) => void
}

export class PeersNet {
  readonly world: WorldType
  readonly nodes: SimNode[] = []
  /** By node: its bootstrap list, which it reads when it starts. */
  readonly lists: Address[][] = []
  readonly #indices = new Map<PeerId, number>()
  readonly #got = new Map<string, Set<string>>()
  #sent = 0

  private constructor(world: WorldType) {
    this.world = world
  }

  /** Makes the nodes without starting them. */
  static async make({ count, ...options }: NetOptions): Promise<PeersNet> {
    const { seed, onTrace, config, ip } = options
    const world = new World({ seed, latencyMs: () => 50, ...(onTrace === undefined ? {} : { onTrace }) })
    const net = new PeersNet(world)
    const kept = Array.from({ length: count }, (): Address[] => [])
    for (let index = 0; index < count; index++) {
      const list: Address[] = []
      const node = await world.add({
        name: `n${index}`,
        ...(ip === undefined ? {} : { ip: ip(index) }),
        config: { ...config?.(index), peers: kept[index] ?? [] },
        bootstrap: list,
        setUp: (made, { name }) =>
          made.subscribe(TOPIC, ({ payload }) => {
            net.#got.get(Buffer.from(payload).toString())?.add(name)
            return 'accept'
          }),
      })
      net.nodes.push(node)
      net.lists.push(list)
      net.#indices.set(node.peer, index)
    }
    const addresses = (indices: readonly number[]): Address[] => indices.map(other => net.node(other).address)
    for (let index = 0; index < count; index++) {
      net.lists[index]?.push(...addresses(options.bootstrap?.(index) ?? []))
      kept[index]?.push(...addresses(options.peers?.(index) ?? []))
    }
    return net
  }

  node(index: number): SimNode {
    const node = this.nodes[index]
    if (node === undefined) throw new Error(`there is no node ${index}`)
    return node
  }

  /** Those that run. */
  live(): SimNode[] {
    return this.nodes.filter(node => node.node !== undefined)
  }

  /** Whom a node has dialled by itself and shaken hands with, feelers left out. */
  automatic(node: SimNode): PeerInfo[] {
    const peers = node.node?.peers() ?? []
    return peers.filter(
      ({ role, handshake }) => handshake === 'done' && (role === 'outbound' || role === 'anchor'),
    )
  }

  /** The nodes that a node believes to be connected with. */
  neighbours(node: SimNode): SimNode[] {
    const peers = node.node?.peers() ?? []
    return peers.flatMap(({ peer, handshake }) => {
      const index = this.#indices.get(peer)
      return index === undefined || handshake !== 'done' ? [] : [this.node(index)]
    })
  }

  /**
   * Whether a node has fewer automatic connections than it wants, though there is somebody whom it could dial.
   * @param isLive counts only those to some nodes; otherwise the node's own belief counts
   */
  lacks(node: SimNode, target: number, isLive?: { has(node: SimNode): boolean }): boolean {
    const places = this.automatic(node).filter(({ peer }) => {
      const index = this.#indices.get(peer)
      return isLive === undefined || (index !== undefined && isLive.has(this.node(index)))
    })
    return places.length < target && this.neighbours(node).length < this.live().length - 1
  }

  /**
   * In how many parts the nodes are that have no connection between them. One counts that both sides know of.
   * @param among the live nodes, or some of them
   */
  parts(among: readonly SimNode[] = this.live()): number {
    const edges = new Map(among.map(node => [node, new Set(this.neighbours(node))]))
    const unseen = new Set(edges.keys())
    let parts = 0
    for (const start of edges.keys()) {
      if (!unseen.delete(start)) continue
      parts++
      const reached = [start]
      for (let node = reached.pop(); node !== undefined; node = reached.pop()) {
        for (const next of edges.get(node) ?? []) {
          if (edges.get(next)?.has(node) === true && unseen.delete(next)) reached.push(next)
        }
      }
    }
    return parts
  }

  /** Lets time pass, and looks at it again and again. */
  async watch(forMs: number, everyMs: number, look: () => void): Promise<void> {
    const untilMs = this.world.nowMs + forMs
    while (this.world.nowMs < untilMs) {
      await this.world.run(Math.min(everyMs, untilMs - this.world.nowMs))
      look()
    }
  }

  /** Until something is so: the time that it took, or undefined when it was not so within `withinMs`. */
  async until(withinMs: number, isSo: () => boolean): Promise<number | undefined> {
    const fromMs = this.world.nowMs
    while (!isSo()) {
      if (this.world.nowMs - fromMs >= withinMs) return undefined
      await this.world.run(500)
    }
    return this.world.nowMs - fromMs
  }

  /** How many live nodes, the sender left out, do not have a message 2 s after it was propagated. */
  async missed(from: SimNode): Promise<number> {
    const text = `message ${this.#sent++}`
    const got = new Set([from.name])
    this.#got.set(text, got)
    const sending = from.call(node => node.propagate(TOPIC, Buffer.from(text)))
    await this.world.until(sending, 10_000)
    await this.world.run(2_000)
    return this.live().filter(({ name }) => !got.has(name)).length
  }
}

/** What a program has found out, for the test that has started it. */
export function report(findings: unknown): void {
  process.stdout.write(JSON.stringify(findings))
}
