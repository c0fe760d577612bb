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

/**
 * What waits for `msgIdFn` at most. Those of duplicates are never asked for, and each holds its payload until it is
 * displaced: so few, and so few bytes. An id that is displaced too soon only costs hashing again.
 */
const PENDING_MAX = 256
const PENDING_MAX_BYTES = 16 * 1_024 * 1_024

/** What gossipsub shows of a message: decoded, or the bare parts of its frame. */
interface Parts {
  readonly topic: Topic
  readonly data?: Uint8Array | undefined
}

export class MessageIds {
  readonly #pending = new Map<Uint8Array, MessageId>()
  #pendingBytes = 0

  /** The content id; remembered until `take` asks for the same payload object. */
  of(topic: Topic, payload: Uint8Array): MessageId {
    const id = messageId(topic, payload)
    this.know(payload, id)
    return id
  }

  /** Remembers an id that somebody else has computed already. */
  know(payload: Uint8Array, id: MessageId): void {
    this.#forget(payload)
    this.#pending.set(payload, id)
    this.#pendingBytes += payload.byteLength
    for (const oldest of this.#pending.keys()) {
      if (this.#pending.size <= PENDING_MAX && this.#pendingBytes <= PENDING_MAX_BYTES) return
      this.#forget(oldest)
    }
  }

  /** The content id, and forgets it. */
  take(topic: Topic, payload: Uint8Array): MessageId {
    const known = this.#pending.get(payload)
    if (known === undefined) return messageId(topic, payload)
    this.#forget(payload)
    return known
  }

  #forget(payload: Uint8Array): void {
    if (this.#pending.delete(payload)) this.#pendingBytes -= payload.byteLength
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
