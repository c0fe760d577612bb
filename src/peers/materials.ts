/**
 * What the peers layer is made from: options out of the configuration, parts of the outside world, and what was kept
 * from the last run.
 */
import type { GroupRules } from '../core/endpoint.ts'
import type { Clock, Host, Log, Metrics, RandomSource, Resolver } from '../core/ports.ts'
import type { Address, PeerId } from '../core/types.ts'
import type { AddressBook } from './address-book.ts'
import type { AnchorKeeper } from './anchor-keeper.ts'
import type { Anchor } from './anchors.ts'
import type { BanKeeper } from './ban-keeper.ts'
import type { OutboundOptions } from './outbound.ts'

export interface PeersOptions {
  readonly network: string
  readonly agent: string
  /** Kept connected. */
  readonly peers: readonly Address[]
  readonly onlyPeers: boolean
  readonly interop: boolean
  readonly bootstrap: readonly Address[]
  readonly exchange: boolean
  readonly dnsSeeds: readonly string[]
  readonly score: {
    readonly halfLifeMs: number
    readonly dropBelow: number | null
    readonly discourageBelow: number | null
  }
  readonly connections: {
    readonly outboundTarget: number
    readonly anchors: number
    readonly inboundMax: number
    readonly perIpMax: number
    readonly pendingPerIpMax: number
    readonly pendingInboundMax: number
    readonly perGroupMax: number
    readonly groupRules: GroupRules
    readonly feelerPeriodMs: number
    readonly rotationMinMs: number
    readonly rotationMaxMs: number
    readonly parallelDials: number
    readonly redialMinMs: number
    readonly redialMaxMs: number
  }
}

/** The outside world. */
export interface PeersParts {
  readonly host: Host
  readonly clock: Clock
  readonly random: RandomSource
  readonly log: Log
  readonly metrics: Metrics
  readonly resolver: Resolver
  /** One random Kademlia walk. */
  readonly walk?: (() => Promise<Address[]>) | undefined
  /** What gossip thinks of a peer: 0 is neutral, bad ones are negative. */
  readonly gossipScoreOf: (peer: PeerId) => number
  readonly readBootstrap: (list: readonly Address[]) => Promise<Address[]>
}

/** What was kept from the last run, and keeps what comes. */
export interface PeersState {
  readonly book: AddressBook
  readonly bans: BanKeeper
  readonly anchors: readonly Anchor[]
  readonly anchorKeeper: AnchorKeeper
}

/** Dials that fill places at once: more would be a burst at whoever fills the book. */
const PARALLEL_DIALS = 4

/** The machine of outbound connections speaks of its own matters alone. */
export function outboundOptions({ connections }: PeersOptions): OutboundOptions {
  const { outboundTarget, anchors, redialMinMs, redialMaxMs } = connections
  return {
    ...connections,
    target: outboundTarget,
    anchors: Math.min(anchors, outboundTarget),
    parallelDials: PARALLEL_DIALS,
    offlineMinMs: redialMinMs,
    offlineMaxMs: redialMaxMs,
  }
}
