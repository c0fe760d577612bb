/**
 * From lone nodes to a mesh in which messages reach everybody.
 */

import { Random } from '../../core/random.ts'
import type { Address } from '../../core/types.ts'
import { dialAddress } from './addresses.ts'
import type { Fleet } from './fleet.ts'
import type { RunPlan } from './plan.ts'
import { NodeFailure } from './process.ts'
import { degrees, topology } from './topology.ts'
import type { Until } from './until.ts'

const CONNECT_MS = 30_000
const MESH_MS = 30_000

/**
 * Connects the nodes and waits until each sees all its neighbours subscribed and has one in its mesh, or until
 * the signal. @throws NodeFailure when that takes too long
 */
export async function joinMesh(
  fleet: Fleet,
  plan: RunPlan,
  until: Until,
  signal: AbortSignal,
): Promise<void> {
  const links = topology(plan.nodes, new Random(`${plan.seed}/topology`))
  await fleet.each(async child => {
    const addresses = (links[child.node] ?? []).map(node => addressOf(fleet, plan, node))
    await child.request('connect', { addresses }, CONNECT_MS)
  })
  const neighbours = degrees(links)
  const lonely = (): number =>
    fleet.nodes.findIndex(({ node }) => {
      const { meshPeers = 0, subscribers = 0 } = fleet.statsOf(node) ?? {}
      return meshPeers < 1 || subscribers < (neighbours[node] ?? 0)
    })
  if ((await until.until(() => lonely() === -1, MESH_MS, signal)) || signal.aborted) return
  const node = lonely()
  const { meshPeers = 0, subscribers = 0 } = fleet.statsOf(node) ?? {}
  throw new NodeFailure(
    `node ${node + 1} saw ${subscribers} of ${neighbours[node]} neighbours in topic "${plan.topic}", ` +
      `${meshPeers} of them in its mesh, after ${MESH_MS / 1_000} s`,
  )
}

function addressOf(fleet: Fleet, plan: RunPlan, node: number): Address {
  const address = dialAddress(fleet.nodes[node]?.started?.addresses ?? [], plan.wrapper.length > 0)
  if (address === undefined) throw new NodeFailure(`node ${node + 1} listens on no address`)
  return address
}
