/**
 * A chain of 12 nodes: each is given the one before it, and all else it must hear from others.
 */
import { PeersNet, report } from './peers-net.ts'

const TARGET = 4

const net = await PeersNet.make({
  seed: 'exchange',
  count: 12,
  config: () => ({ connections: { outboundTarget: TARGET, anchors: 1 } }),
  peers: index => (index === 0 ? [] : [index - 1]),
})
const { world, nodes } = net
await world.start(nodes)
await world.run(1_000)
const first = nodes.map(node => net.neighbours(node).length)
const foundMs = await net.until(180_000, () => nodes.every(node => !net.lacks(node, TARGET)))
await world.run(5_000)
const missed: number[] = []
for (const index of [0, 11]) missed.push(await net.missed(net.node(index)))
report({
  first,
  foundMs,
  parts: net.parts(),
  found: nodes.map(node => net.automatic(node).length),
  known: nodes.map(node => node.call(made => made.addressBook().length)),
  missed,
})
