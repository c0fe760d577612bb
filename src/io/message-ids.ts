/**
 * Message ids as gossipsub wants them: each id computed once per copy, though the library asks twice.
 *
 * gossipsub asks `fastMsgIdFn` for a key before it decodes or verifies a message (a known key ends a duplicate
 * there), and `msgIdFn` for the id of each message that was new. Between the two it waits for a promise, so
 * other messages come between: ids are kept by the payload's identity until they are asked for again.
 *
 * - Unsigned (`StrictNoSign`): the id is our content id, `core/hash.ts`. The key is the id.
 * - Signed (`StrictSign`): the id is the author's peer id and sequence number, as go-, rust- and js-libp2p have
 *   it, or IHAVE and IWANT would not agree. The key is the same bytes; nothing is stored under it before the
 *   signature was verified.
 */
import { messageId, messageKey } from '../core/hash.ts'
import type { MessageId, Topic } from '../core/types.ts'

/** How many ids wait for `msgIdFn` at most; those of messages that turn out invalid are never asked for. */
const PENDING_MAX = 4_096

/** What gossipsub shows of a message: decoded, or the bare parts of its frame. */
interface Parts {
  readonly topic: Topic
  readonly data?: Uint8Array | undefined
}

export class MessageIds {
  readonly #pending = new Map<Uint8Array, MessageId>()

  /** The content id; remembered until `take` asks for the same payload object. */
  of(topic: Topic, payload: Uint8Array): MessageId {
    const id = messageId(topic, payload)
    this.know(payload, id)
    return id
  }

  /** Remembers an id that somebody else has computed already. */
  know(payload: Uint8Array, id: MessageId): void {
    // Dropping them all only costs hashing again.
    if (this.#pending.size >= PENDING_MAX) this.#pending.clear()
    this.#pending.set(payload, id)
  }

  /** The content id, and forgets it. */
  take(topic: Topic, payload: Uint8Array): MessageId {
    const known = this.#pending.get(payload)
    if (known === undefined) return messageId(topic, payload)
    this.#pending.delete(payload)
    return known
  }

  /** gossipsub's `fastMsgIdFn` for unsigned messages. */
  readonly fastUnsigned = (message: Parts): string =>
    messageKey(this.of(message.topic, message.data ?? EMPTY))

  /** gossipsub's `msgIdFn` for unsigned messages. */
  readonly unsigned = (message: Parts): Uint8Array => this.take(message.topic, message.data ?? EMPTY)
}

/** gossipsub's `fastMsgIdFn` for signed messages: the author and its counter, which is what their id is made of. */
export function fastSigned(message: {
  from?: Uint8Array | undefined
  seqno?: Uint8Array | undefined
}): string {
  return `${messageKey(message.from ?? EMPTY)}/${messageKey(message.seqno ?? EMPTY)}`
}

const EMPTY = new Uint8Array(0)
