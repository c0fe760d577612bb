/**
 * What a node has on its disk when it starts again.
 *
 *   peers-restart.ts anchors    one of 16 nodes loses power and comes back: whom it dials
 *   peers-restart.ts book       all of 10 nodes stop, and start with no source of addresses but their books
 */
import type { SimNode } from '../../../src/sim/sim-node.ts'
import { PeersNet, report } from './peers-net.ts'

/** As many places as anchors: somebody else is dialled only if an anchor does not answer. */
const ANCHORS = 3

async function anchors(): Promise<void> {
  const dials: string[] = []
  const net = await PeersNet.make({
    seed: 'anchors',
    count: 16,
    config: () => ({ connections: { outboundTarget: ANCHORS, anchors: ANCHORS } }),
    bootstrap: index => (index === 0 ? [] : [0]),
    onTrace: line => {
      const [, to] = / syn n7>(\S+)/.exec(line) ?? []
      if (to !== undefined) dials.push(to)
    },
  })
  const { world, nodes } = net
  const victim = net.node(7)
  const anchorsOf = (node: SimNode): string[] => {
    const peers = net.automatic(node).filter(({ role }) => role === 'anchor')
    return nodes.filter(other => peers.some(({ peer }) => peer === other.peer)).map(({ name }) => name)
  }
  await world.start(nodes)
  // The list is written for the first time after a minute.
  await world.run(90_000)
  const before = anchorsOf(victim)
  const known = victim.call(node => node.addressBook().length)
  victim.crash()
  await world.run(40_000)
  dials.splice(0)
  await world.start([victim])
  await world.run(5_000)
  report({ known, before, dials: dials.sort(), after: anchorsOf(victim) })
}

async function book(): Promise<void> {
  const net = await PeersNet.make({ seed: 'book', count: 10, bootstrap: index => (index === 0 ? [] : [0]) })
  const { world, nodes } = net
  await world.start(nodes)
  await world.run(40_000)
  const partsBefore = net.parts()
  await world.stop(nodes)
  for (const list of net.lists) list.splice(0)
  const liveBetween = net.live().length
  await world.run(30_000)
  await world.start(nodes)
  const connectedMs = await net.until(60_000, () => net.parts() === 1)
  await world.run(5_000)
  report({ partsBefore, liveBetween, connectedMs, missed: await net.missed(net.node(3)) })
}

await (process.argv[2] === 'anchors' ? anchors() : book())
