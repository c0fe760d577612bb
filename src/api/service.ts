/**
 * The methods of the control API, on a node.
 *
 * Rule: nothing here decides. A method asks the node and shapes what it says; whatever the node refuses is an error of
 * the node, and `call.ts` gives it its code.
 */
import type { Address, PeerId } from '../core/types.ts'
import type { AddressInfo, AddressStats, BanInfo, PeerInfo } from '../peers/view.ts'
import type { AnswerOf, CheckedRequestOf, Method } from './messages.ts'

/** What the API needs of a node. `Node` is one. */
export interface ServedNode {
  readonly peer: PeerId
  readonly network: string
  addresses(): readonly Address[]
  peers(): readonly PeerInfo[]
  connect(address: Address, options: { keep?: boolean; signal?: AbortSignal }): Promise<PeerId>
  disconnect(peer: PeerId): Promise<void>
  ban(target: string, options: { forMs?: number; reason?: string }): Promise<BanInfo>
  unban(target: string): Promise<boolean>
  bans(): readonly BanInfo[]
  addressBook(): readonly AddressInfo[]
  addressStats(): AddressStats
}

/** The signal is aborted when the caller has gone, or has waited long enough. */
export type Service = {
  readonly [M in Method]: (
    request: CheckedRequestOf<M>,
    signal: AbortSignal,
  ) => AnswerOf<M> | Promise<AnswerOf<M>>
}

/**
 * @param version of Floodgate, for `Status`
 * @param startedAtMs since when the API is served, in milliseconds since the Unix epoch
 */
export function serviceOf(node: ServedNode, version: string, startedAtMs: number): Service {
  return {
    Peers: () => ({ peers: [...node.peers()] }),
    Connect: async ({ address, keep }, signal) => ({ peer: await node.connect(address, { keep, signal }) }),
    Disconnect: async ({ peer }) => {
      await node.disconnect(peer)
      return {}
    },
    Ban: async ({ target, forMs, reason }) => ({
      ban: await node.ban(target, {
        ...(forMs !== undefined && { forMs }),
        ...(reason !== '' && { reason }),
      }),
    }),
    Unban: async ({ target }) => ({ removed: await node.unban(target) }),
    Bans: () => ({ bans: [...node.bans()] }),
    Addresses: ({ table, limit, offset }) => {
      const all = node.addressBook()
      const asked = table === undefined ? [...all] : all.filter(it => it.isTried === (table === 'tried'))
      const addresses = asked.sort(byWorth).slice(offset, offset + limit)
      return { addresses, total: asked.length }
    },
    AddressStats: () => {
      const { newBuckets, triedBuckets, bySource, ...totals } = node.addressStats()
      return {
        ...totals,
        newBuckets: [...newBuckets],
        triedBuckets: [...triedBuckets],
        bySource: { ...bySource },
      }
    },
    Status: () => {
      const peers = node.peers()
      const inbound = peers.filter(peer => peer.direction === 'inbound').length
      const { newAddresses, triedAddresses } = node.addressStats()
      return {
        version,
        peer: node.peer,
        network: node.network,
        addresses: [...node.addresses()],
        startedAtMs,
        inbound,
        outbound: peers.length - inbound,
        bans: node.bans().length,
        newAddresses,
        triedAddresses,
      }
    },
  }
}

/** What worked last first, then what was heard of last; by endpoint in the end, so that pages fit together. */
function byWorth(a: AddressInfo, b: AddressInfo): number {
  return (
    b.lastSuccessMs - a.lastSuccessMs ||
    b.lastHeardMs - a.lastHeardMs ||
    (a.endpoint < b.endpoint ? -1 : a.endpoint > b.endpoint ? 1 : 0)
  )
}
