/**
 * Five of 24 nodes lose power, and nobody is told. Prints how long the others take to replace them: until nobody lists a
 * dead peer, and everyone has all the outbound connections that it wants.
 */
import { PeersNet, report } from './peers-net.ts'

const TARGET = 6

const net = await PeersNet.make({
  seed: 'crash',
  count: 24,
  config: () => ({ connections: { outboundTarget: TARGET, anchors: 2 } }),
  bootstrap: index => [0, 1, 2].filter(other => other !== index),
})
const { world, nodes } = net
await world.start(nodes)
await world.run(40_000)

const lacking = (): number => net.live().filter(node => net.lacks(node, TARGET)).length
const lackingBefore = lacking()

// Among them a bootstrap node, which everyone has dialled.
const crashed = [0, 5, 10, 15, 20].map(index => net.node(index))
for (const node of crashed) node.crash()
/** Those who believe in a dead neighbour. */
const deceived = (): number =>
  net.live().filter(node => net.neighbours(node).some(peer => crashed.includes(peer))).length
const deceivedAtOnce = deceived()
const replacedMs = await net.until(120_000, () => deceived() === 0 && lacking() === 0)
report({
  lackingBefore,
  deceivedAtOnce,
  replacedMs,
  parts: net.parts(),
  missed: await net.missed(net.node(1)),
})
