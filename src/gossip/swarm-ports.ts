/**
 * What the actor of swarms needs, and whom it tells.
 */
import type { Offence } from '../core/offences.ts'
import type { Channel, Clock, Log, PubSub, RandomSource, Signer } from '../core/ports.ts'
import type { MessageId, MessageKey, PeerId, Topic, Transfer, Verdict } from '../core/types.ts'
import type { HeaderOf, Preview } from '../core/upper.ts'

export interface SwarmingParts {
  readonly network: string
  readonly channel: Channel
  readonly pubsub: PubSub
  readonly signer: Signer
  readonly clock: Clock
  readonly log: Log
  readonly random: RandomSource
  readonly onTransfer?: ((transfer: Transfer) => void) | undefined
}

export interface SwarmingEvents {
  /** Asks the upper layer about a header, within the topic's time. Never rejects. */
  quick(topic: Topic, from: PeerId, preview: Preview): Promise<Verdict>
  /** A payload is there. `isVouched`: its header was accepted. */
  deliver(
    topic: Topic,
    message: { id: MessageId; key: MessageKey; payload: Uint8Array; from: PeerId },
    isVouched: boolean,
  ): void
  /** What is known of a message, however it came. */
  isKnown(topic: Topic, key: MessageKey): boolean
  /** Tells a peer of a head, outside gossip. */
  offer(peer: PeerId, topic: Topic, announcement: Uint8Array): void
  offence(peer: PeerId, offence: Offence, detail: string): void
}

export interface SwarmedTopic {
  readonly maxPayloadBytes: number
  readonly settleMs: number
  readonly hasQuick: boolean
  readonly header: HeaderOf | undefined
}
