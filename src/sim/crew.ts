/**
 * The nodes of a scenario: made and wired by their addresses, stopped, crashed and started again, and asked what they
 * have sent and whom they know.
 *
 * A node counts as up from the end of its start to the begin of its stop. What it has sent is added up over its lives.
 */
import assert from 'node:assert/strict'
import type { ConfigInput } from '../config/schema.ts'
import type { Address, Direction, PeerId } from '../core/types.ts'
import type { Node } from '../node.ts'
import type { Role } from '../peers/view.ts'
import type { Measures } from './measures.ts'
import type { Member } from './population.ts'
import type { ScenarioValues } from './schema.ts'
import type { SimNode } from './sim-node.ts'
import type { World } from './world.ts'

type Discovery = ScenarioValues['nodes']['discovery']

/** Subscribes a node to its topics, before each of its starts. */
export type SetUp = (node: Node, member: Member) => void

export class Crew {
  readonly members: readonly Member[]
  readonly #world: World
  readonly #measures: Measures
  readonly #nodes: SimNode[] = []
  readonly #indices = new Map<PeerId, number>()
  readonly #isUp: boolean[]
  /** What they sent in lives that are over. */
  #pastBytes = 0
  /** By node: how many attackers had dialled it at once, and how many it had in places of its own. */
  readonly #attackers: readonly Record<Direction, number>[]

  constructor(world: World, members: readonly Member[], measures: Measures) {
    this.#world = world
    this.members = members
    this.#measures = measures
    this.#isUp = members.map(() => false)
    this.#attackers = members.map(() => ({ inbound: 0, outbound: 0 }))
  }

  /**
   * Makes all nodes.
   * @param config what they share
   * @param discovery what they do with the addresses that each is given (`schema.ts`)
   */
  async make(config: ConfigInput, discovery: Discovery, setUp: SetUp): Promise<void> {
    const given: Address[][] = this.members.map(() => [])
    for (const member of this.members) {
      const { name, upBitsPerSecond, downBitsPerSecond } = member
      // An address is known when its node is made; the lists are read when the node starts.
      const list = given[member.index] ?? []
      const kept = discovery === 'bootstrap' ? { bootstrap: list } : {}
      const own = {
        onlyPeers: discovery === 'off',
        ...config,
        ...(discovery === 'bootstrap' ? {} : { peers: list }),
      }
      const node = await this.#world.add({
        name,
        upBitsPerSecond,
        downBitsPerSecond,
        config: own,
        ...kept,
        setUp: started => setUp(started, member),
      })
      this.#nodes.push(node)
      this.#indices.set(node.peer, member.index)
    }
    for (const { index, dials } of this.members) {
      given[index]?.push(...(discovery === 'bootstrap' ? [] : (config.peers ?? [])))
      given[index]?.push(...dials.map(other => this.node(other).address))
    }
  }

  node(index: number): SimNode {
    const node = this.#nodes[index]
    assert.ok(node !== undefined, `there is no node ${index}`)
    return node
  }

  nodesOf(members: readonly Member[]): SimNode[] {
    return members.map(member => this.node(member.index))
  }

  /** The index of a peer; undefined for one that is none of the nodes. */
  indexOf(peer: PeerId): number | undefined {
    return this.#indices.get(peer)
  }

  isUp(index: number): boolean {
    return this.#isUp[index] === true
  }

  /** Those that are up. */
  up(members: readonly Member[] = this.members): Member[] {
    return members.filter(member => this.isUp(member.index))
  }

  /** Starts it. @param keepData false: its disk is empty */
  async start(index: number, keepData = true): Promise<void> {
    const node = this.node(index)
    if (!keepData) node.disk.clear()
    await node.start()
    this.#isUp[index] = true
    this.#measures.cameUp(index)
  }

  /** Stops it in order. */
  async stop(index: number): Promise<void> {
    this.#goDown(index)
    await this.node(index).stop()
  }

  /** Takes its power away. */
  crash(index: number): void {
    this.#goDown(index)
    this.node(index).crash()
  }

  /** What all nodes have sent since the begin of the run. */
  sentBytes(): number {
    return this.up().reduce((sum, { index }) => sum + this.#sentBy(index), this.#pastBytes)
  }

  /** How many connections a node has, on average over those that are up. @param strangers only those to others */
  meanConnections(strangers = false): number {
    const up = this.up()
    const counts = up.map(({ index }) => {
      const peers = this.node(index).node?.peers() ?? []
      return strangers ? peers.filter(({ peer }) => this.indexOf(peer) === undefined).length : peers.length
    })
    return up.length === 0 ? 0 : counts.reduce((sum, count) => sum + count, 0) / up.length
  }

  /** How many connections a node has dialled that are open. */
  outbound(index: number): number {
    const peers = this.node(index).node?.peers() ?? []
    return peers.filter(({ direction }) => direction === 'outbound').length
  }

  /** Looks at the connections with attackers. To be called again and again. */
  watch(): void {
    for (const { index } of this.up()) {
      const most = this.#attackers[index]
      const peers = this.node(index).node?.peers() ?? []
      const attackers = peers.filter(({ peer }) => this.indexOf(peer) === undefined)
      const count = (roles: readonly Role[]): number =>
        attackers.filter(({ role }) => roles.includes(role)).length
      if (most === undefined) continue
      most.inbound = Math.max(most.inbound, count(['inbound']))
      most.outbound = Math.max(most.outbound, count(['outbound', 'anchor']))
    }
  }

  /** How many attackers a node has had at once, at most, as far as `watch` has seen; feelers are not counted. */
  mostAttackers(index: number, direction: Direction): number {
    return this.#attackers[index]?.[direction] ?? 0
  }

  #goDown(index: number): void {
    this.#pastBytes += this.#sentBy(index)
    this.#isUp[index] = false
    this.#measures.wentDown(index)
  }

  #sentBy(index: number): number {
    return this.node(index).node?.traffic().sentBytes ?? 0
  }
}
