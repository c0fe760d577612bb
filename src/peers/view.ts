/**
 * What an operator sees of peers, bans and addresses: the shapes that the node, the control channel and the command
 * line share. All are plain JSON.
 */
import type { Endpoint, Group } from '../core/endpoint.ts'
import type { Address, Direction, PeerId } from '../core/types.ts'

/** Why a peer is connected. */
export type Role =
  /** Asked for: `peers` in the configuration, or `connect`. */
  | 'manual'
  /** One of our automatic outbound connections. */
  | 'outbound'
  /** The same, and redialled first after a restart. */
  | 'anchor'
  /** Dialled to see whether its address works; leaves at once. */
  | 'feeler'
  /** It has dialled us. */
  | 'inbound'
  /** Dialled by the Kademlia walk. */
  | 'hint'

export interface PeerInfo {
  readonly peer: PeerId
  readonly address: Address
  /** The network group of its address (IPv4 /16, IPv6 /32). */
  readonly group: Group
  readonly direction: Direction
  readonly role: Role
  /** Milliseconds since the Unix epoch. */
  readonly connectedAtMs: number
  /** The last round trip; undefined before the first. */
  readonly rttMs: number | undefined
  /** 0 is neutral; offences lower it, time raises it again. */
  readonly score: number
  /** What it calls itself; empty until it has said so. */
  readonly agent: string
  /** Whether the handshake is done; `plain` is a gossip peer without our protocols. */
  readonly handshake: 'pending' | 'done' | 'plain'
}

export interface BanInfo {
  /** An IP address, a CIDR range or a peer id, canonical. */
  readonly target: string
  readonly kind: 'ip' | 'cidr' | 'peer'
  /** Milliseconds since the Unix epoch. */
  readonly sinceMs: number
  readonly untilMs: number
  readonly reason: string
}

/** How an address came into the book. */
export type Source = 'dns' | 'bootstrap' | 'exchange' | 'hello' | 'dht' | 'manual'

/** All times in milliseconds since the Unix epoch, 0 for never. */
export interface AddressInfo {
  readonly endpoint: Endpoint
  readonly group: Group
  /** The peer that proved its id there last. */
  readonly peer: PeerId | undefined
  readonly source: Source
  /** The group of whoever told us. */
  readonly sourceGroup: Group
  readonly lastHeardMs: number
  readonly lastAttemptMs: number
  readonly lastSuccessMs: number
  /** Failed since the last success. */
  readonly attempts: number
  readonly isTried: boolean
}

export interface AddressStats {
  readonly newAddresses: number
  readonly triedAddresses: number
  /** How many of a bucket's 64 places are taken, for each bucket: 1,024 of `new`, 256 of `tried`. */
  readonly newBuckets: readonly number[]
  readonly triedBuckets: readonly number[]
  readonly bySource: Readonly<Record<Source, number>>
}
