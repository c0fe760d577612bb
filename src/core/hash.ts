/**
 * BLAKE2b, and the message id made with it.
 *
 * message id = BLAKE2b-160( length of the topic in bytes, 4 bytes big-endian ‖ topic in UTF-8 ‖ payload )
 *
 * Why the length: without it, topic `ab` with payload `c` and topic `a` with payload `bc` would share an id.
 * Why BLAKE2b by hash-wasm: `node:crypto` has it only at 64 bytes, and a truncated longer hash is another
 * function; pure JavaScript takes 16 ms for 1 MB on the only thread, hash-wasm 0.9 ms.
 * Source: RFC 7693. Test vectors stand in `docs/protocols.md`.
 */
import { createBLAKE2b } from 'hash-wasm'
import type { MessageId, MessageKey, Topic } from './types.ts'

/** The length of a message id in bytes. */
export const MESSAGE_ID_BYTES = 20

// One instance serves all calls: a hash is init, update, digest without an await between them.
const hasher = await createBLAKE2b(MESSAGE_ID_BYTES * 8)

const prefixes = new Map<Topic, Uint8Array>()

/** How many topic prefixes are kept; with more topics than this the prefix is made anew each time. */
const PREFIXES_MAX = 1_024

function prefixOf(topic: Topic): Uint8Array {
  const known = prefixes.get(topic)
  if (known !== undefined) return known
  const name = new TextEncoder().encode(topic)
  const prefix = new Uint8Array(4 + name.byteLength)
  new DataView(prefix.buffer).setUint32(0, name.byteLength)
  prefix.set(name, 4)
  if (prefixes.size < PREFIXES_MAX) prefixes.set(topic, prefix)
  return prefix
}

/** The id of a message. The same topic and payload have the same id on every node. */
export function messageId(topic: Topic, payload: Uint8Array): MessageId {
  return hasher.init().update(prefixOf(topic)).update(payload).digest('binary') as MessageId
}

/** The id as a key for maps: one latin-1 character a byte, the shortest string that V8 can hold it in. */
export function messageKey(id: Uint8Array): MessageKey {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1')
}

/** The id for people: lower-case hex. */
export function messageHex(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('hex')
}
