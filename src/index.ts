/**
 * Floodgate as a library: `createNode`, and the types of what goes in and comes out.
 */
export type { ConfigInput as NodeConfig } from './config/schema.ts'
export { DROP_REASONS, type DropReason } from './core/drops.ts'
export { ERROR_CODES, type ErrorCode, FloodgateError } from './core/errors.ts'
export { messageHex, messageId } from './core/hash.ts'
export { OFFENCES, type Offence } from './core/offences.ts'
export type {
  Address,
  Direction,
  Message,
  MessageId,
  PeerId,
  Topic,
  Transfer,
  Verdict,
} from './core/types.ts'
export type {
  FloodDegree,
  Handler,
  HandlerResult,
  HeaderOf,
  Mode,
  Preview,
  QuickVerify,
  TopicLimits,
  TopicOptions,
} from './core/upper.ts'
export type { Reason } from './gossip/gate.ts'
export type { NodeParts } from './node/assembly.ts'
export {
  createNode,
  type Node,
  type NodeEvents,
  type Propagated,
  type TopicStats,
  type VerdictInfo,
} from './node.ts'
export type { AddressInfo, AddressStats, BanInfo, PeerInfo, Role, Source } from './peers/view.ts'
