/**
 * What the machine of outbound connections is told, and what it wants done (`outbound.ts`).
 */
import type { DropReason } from '../core/drops.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { PeerId } from '../core/types.ts'
import type { Anchor } from './anchors.ts'
import type { DialPurpose } from './places.ts'

export type OutboundEvent =
  | { type: 'tick' }
  /** A dial that was asked for ended without an answer: refused by the host, unreachable, timeout. */
  | { type: 'failed'; endpoint: Endpoint }
  /** Somebody answered a dial and is of no use; `peer` if it proved who it is. */
  | { type: 'refused'; endpoint: Endpoint; reason: DropReason; peer?: PeerId | undefined }
  /** A dial ended with a peer of our network, handshake done. */
  | { type: 'greeted'; endpoint: Endpoint; peer: PeerId }
  /** A peer that had greeted is gone. */
  | { type: 'closed'; peer: PeerId }
  /** A peer that is not ours to manage (inbound, manual) has connected. */
  | { type: 'peer'; peer: PeerId }
  | { type: 'gone'; peer: PeerId }
  /** The user wants this peer: if it has a place of ours, the place is free for another, and it is not ours to drop. */
  | { type: 'manual'; peer: PeerId }
  /** The book has new addresses. */
  | { type: 'learned' }
  /** The node stops in order. Nothing is dialled, dropped or written after what this returns. */
  | { type: 'stop' }

export type OutboundAction =
  /** `peer`: who must be there; any peer will do without it. */
  | { type: 'dial'; endpoint: Endpoint; purpose: DialPurpose; peer?: PeerId }
  | { type: 'drop'; peer: PeerId; reason: 'feeler' | 'rotated' | 'surplus' }
  | { type: 'seek' }
  /** To be on disk before the next action is carried out. */
  | { type: 'anchors'; anchors: readonly Anchor[] }

export type DialResult = 'greeted' | 'refused' | 'failed'

export interface OutboundCounts {
  readonly established: number
  readonly anchors: number
  readonly dialling: number
  /** Since the start. */
  readonly results: Readonly<Record<DialPurpose, Readonly<Record<DialResult, number>>>>
}
