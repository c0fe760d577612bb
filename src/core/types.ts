/**
 * The words that all layers share: peers, topics, messages, verdicts.
 *
 * Nothing here knows libp2p. A peer is its id as text, an address is a multiaddr as text, so that every layer
 * above `io` can be tested, simulated and read without it.
 */

/** A libp2p peer id in its text form, for example `12D3KooW…`. */
export type PeerId = string

/** A multiaddr in its text form, for example `/ip4/127.0.0.1/tcp/9000/p2p/12D3KooW…`. */
export type Address = string

/** A gossipsub topic, exactly the string that the user wrote. At most 256 bytes of UTF-8. */
export type Topic = string

declare const messageIdBrand: unique symbol

/** 20 bytes: BLAKE2b-160 over the topic's length, the topic and the payload (`core/hash.ts`). */
export type MessageId = Uint8Array & { readonly [messageIdBrand]: true }

/** A message id as a key for maps: its 20 bytes as 20 latin-1 characters (`core/hash.ts`). Never printed. */
export type MessageKey = string

/**
 * What becomes of a message.
 * - `accept`: delivered here and passed on.
 * - `ignore`: neither, and nobody is blamed.
 * - `reject`: neither, and the peer that sent it is scored down.
 */
export type Verdict = 'accept' | 'ignore' | 'reject'

/** A message as the upper layer sees it. */
export interface Message {
  readonly id: MessageId
  readonly topic: Topic
  /** Read only: the same bytes are forwarded to other peers after the verdict. Copy them to change them. */
  readonly payload: Uint8Array
  /** The neighbour that sent it, which need not be its author. */
  readonly from: PeerId
  /** When its last byte arrived, in milliseconds since the Unix epoch. */
  readonly receivedAtMs: number
}

/** A payload, or a chunk of one, that came from a neighbour by another way than gossip, and was new. */
export interface Transfer {
  readonly topic: Topic
  readonly id: MessageId
  /** Which chunk, of how many; 0 of 1 for a whole payload. */
  readonly index: number
  readonly count: number
  readonly from: PeerId
  readonly sizeBytes: number
}

/** Who opened a connection: `outbound` when this node dialled. */
export type Direction = 'inbound' | 'outbound'
