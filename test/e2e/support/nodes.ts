/**
 * Real nodes on loopback, several in this process, and what tests ask of them.
 *
 * Every node stops with its test. Nothing is logged unless `LOG_LEVEL` is set.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import {
  createNode,
  type Handler,
  type Message,
  type Node,
  type NodeConfig,
  type TopicOptions,
} from '../../../src/index.ts'
import type { LogLevel } from '../../../src/io/log.ts'
import { until } from './until.ts'

/** Gossip with five times the usual heartbeat, and a history that is as long as by default in seconds. */
export const QUICK_GOSSIP = { heartbeatMs: 200, historyLength: 15 }

export const TOPIC = 'test/topic'

/** A node of the `local` preset that is not started yet. It connects to nobody by itself: who knows whom is the test's. */
export async function makeNode(t: TestContext, config: NodeConfig = {}): Promise<Node> {
  const level = (process.env.LOG_LEVEL ?? 'silent') as LogLevel
  const node = await createNode({ preset: 'local', onlyPeers: true, log: { level }, ...config })
  t.after(() => node.stop())
  return node
}

/** Started nodes that are not connected to each other. */
export async function startNodes(t: TestContext, count: number, config: NodeConfig = {}): Promise<Node[]> {
  const nodes = await Promise.all(Array.from({ length: count }, () => makeNode(t, config)))
  await Promise.all(nodes.map(node => node.start()))
  return nodes
}

/** The first address on which a started node listens. */
export function addressOf(node: Node): string {
  const [address] = node.addresses()
  assert.ok(address !== undefined, 'the node listens nowhere')
  return address
}

export async function connectLine(nodes: readonly Node[]): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    const next = nodes[index + 1]
    if (next !== undefined) await node.connect(addressOf(next))
  }
}

/** Connects each node with each other. */
export async function connectAll(nodes: readonly Node[]): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    await Promise.all(nodes.slice(index + 1).map(other => node.connect(addressOf(other))))
  }
}

/** Waits until every connected peer of each node is in its mesh. Every node must be subscribed to the topic. */
export async function untilMeshed(nodes: readonly Node[], topic = TOPIC): Promise<void> {
  await until('every neighbour is in the mesh', () =>
    nodes.every(node => node.topicStats(topic)?.meshPeers === node.peers().length && node.peers().length > 0),
  )
}

/** A message that a node accepted, its payload as text. */
export interface Accepted {
  readonly text: string
  readonly from: string
  readonly late: boolean
}

/** Subscribes, and gathers what is accepted, in order. */
export function gather(
  node: Node,
  handler: Handler = () => 'accept',
  options: TopicOptions = {},
  topic = TOPIC,
): Accepted[] {
  const accepted: Accepted[] = []
  node.subscribe(topic, handler, options)
  node.on('message', (message, late) => {
    if (message.topic === topic) accepted.push({ text: textOf(message), from: message.from, late })
  })
  return accepted
}

export function textOf(message: Pick<Message, 'payload'>): string {
  return Buffer.from(message.payload).toString()
}

export async function propagateText(node: Node, text: string, topic = TOPIC) {
  return await node.propagate(topic, Buffer.from(text))
}

/** A started line of nodes that accept everything on `TOPIC`, and what each has accepted. */
export async function acceptingLine(
  t: TestContext,
  count: number,
  config: NodeConfig = {},
): Promise<{ nodes: Node[]; inboxes: Accepted[][] }> {
  const nodes = await startNodes(t, count, config)
  const inboxes = nodes.map(node => gather(node))
  await connectLine(nodes)
  await untilMeshed(nodes)
  return { nodes, inboxes }
}
