/**
 * What travels on `<topic>/announce`: ids that can be asked for, or the head of a swarm.
 *
 *   message Announcement {          // at most 8,192 bytes
 *     bytes ids = 1;                // 1 to 256 message ids of 20 bytes, one behind the other
 *     repeated uint64 sizes = 2;    // as many: the size of each payload, at most 64 MiB
 *     Swarm swarm = 3;
 *   }
 *
 * Rules:
 * - It has either ids or a swarm. One with neither or both, with another number of sizes than of ids, or with an id
 *   twice, is malformed. Why one block of ids: it is one field to read and to check, not 256.
 * - What is read owns its bytes: they are copies, 20 bytes or a header long. Why: a view would keep the whole gossip
 *   frame in memory for as long as one id of it is remembered.
 * - A head that is read can be cut into chunks (`isChunking`), and its origin looks like a peer id. Whether the
 *   signature is right, and the origin's id in its usual form, is for those to say who have the keys.
 * - The origin signs all that the head says, and the header by its digest, for one network and topic (`signedBytes`).
 */
import assert from 'node:assert/strict'
import { MESSAGE_ID_BYTES, messageKey } from '../core/hash.ts'
import { HEADER_MAX_BYTES, SWARM_PAYLOAD_MAX_BYTES } from '../core/limits.ts'
import type { MessageId, MessageKey, PeerId, Topic } from '../core/types.ts'
import {
  bytes,
  type Decoded,
  message,
  nested,
  optional,
  repeated,
  text,
  uint,
  type Value,
} from '../core/wire.ts'
import { CHUNK_MAX_BYTES, CHUNK_MIN_BYTES, isChunking } from './chunking.ts'
import { DIGEST_BYTES, digestOf } from './digest.ts'

/** How many ids an announcement holds at most. */
export const ITEMS_MAX = 256

/** 256 items take at most 6,150 bytes, a head 1,700; the rest is for the fields of later versions. */
export const ANNOUNCEMENT_MAX_BYTES = 8_192

/** What a topic's announcements are published under. A topic must leave room for it (`TOPIC_MAX_BYTES`). */
export const ANNOUNCE_SUFFIX = '/announce'

/** A message that the announcer has. */
export interface AnnouncedItem {
  readonly id: MessageId
  readonly key: MessageKey
  /** The announcer's claim. */
  readonly sizeBytes: number
}

/** What the origin of a swarm says of it. */
export interface SwarmHead {
  readonly id: MessageId
  readonly sizeBytes: number
  /** A power of two. */
  readonly chunkBytes: number
  /** 20 bytes: the root of the chunks' tree (`merkle.ts`). */
  readonly root: Uint8Array
  /** What the upper layer judges before there is a payload; may be empty. */
  readonly header: Uint8Array
  readonly origin: PeerId
  /** The origin's, over `signedBytes`; at most 512 bytes. */
  readonly signature: Uint8Array
}

export type Announcement =
  | { readonly type: 'items'; readonly items: readonly AnnouncedItem[] }
  | { readonly type: 'swarm'; readonly swarm: SwarmHead }

const SWARM = message(
  {
    id: bytes(1, { minBytes: MESSAGE_ID_BYTES, maxBytes: MESSAGE_ID_BYTES }),
    sizeBytes: uint(2, { min: 1, max: SWARM_PAYLOAD_MAX_BYTES }),
    chunkBytes: uint(3, { min: CHUNK_MIN_BYTES, max: CHUNK_MAX_BYTES }),
    root: bytes(4, { minBytes: DIGEST_BYTES, maxBytes: DIGEST_BYTES }),
    header: bytes(5, { maxBytes: HEADER_MAX_BYTES }),
    origin: text(6, { minBytes: 1, maxBytes: 64 }),
    signature: bytes(7, { maxBytes: 512 }),
  },
  4_096,
)

const ANNOUNCEMENT = message(
  {
    ids: optional(bytes(1, { minBytes: MESSAGE_ID_BYTES, maxBytes: ITEMS_MAX * MESSAGE_ID_BYTES })),
    sizes: repeated(uint(2, { max: SWARM_PAYLOAD_MAX_BYTES }), { max: ITEMS_MAX }),
    swarm: optional(nested(3, SWARM)),
  },
  ANNOUNCEMENT_MAX_BYTES,
)

/** The topic that carries the announcements of a topic. */
export function announceTopic(topic: Topic): Topic {
  return topic + ANNOUNCE_SUFFIX
}

/** @throws AssertionError for none or more than 256, an id twice, or a size beyond the limits */
export function encodeItems(items: readonly Pick<AnnouncedItem, 'id' | 'sizeBytes'>[]): Uint8Array {
  const ids = new Uint8Array(items.length * MESSAGE_ID_BYTES)
  const keys = new Set<MessageKey>()
  for (const [index, { id }] of items.entries()) {
    assert.equal(id.byteLength, MESSAGE_ID_BYTES)
    ids.set(id, index * MESSAGE_ID_BYTES)
    keys.add(messageKey(id))
  }
  assert.equal(keys.size, items.length, 'an id comes twice')
  return ANNOUNCEMENT.encode({ ids, sizes: items.map(({ sizeBytes }) => sizeBytes), swarm: undefined })
}

/** @throws AssertionError for what could not be read */
export function encodeSwarm(swarm: SwarmHead): Uint8Array {
  assert.equal(problemOfHead(swarm), undefined)
  return ANNOUNCEMENT.encode({ ids: undefined, sizes: [], swarm })
}

/** Reads what a peer sent. Never throws, and what it returns has bytes of its own. */
export function readAnnouncement(frame: Uint8Array): Decoded<Announcement> {
  const decoded = ANNOUNCEMENT.decode(frame)
  if (decoded.problem !== undefined) return decoded
  const { ids, sizes, swarm } = decoded.value
  if (swarm === undefined) return ids === undefined ? malformed('is empty') : readItems(ids, sizes)
  if (ids !== undefined || sizes.length > 0) return malformed('has items and a swarm')
  return readHead(swarm)
}

function readItems(ids: Uint8Array, sizes: readonly number[]): Decoded<Announcement> {
  const count = ids.byteLength / MESSAGE_ID_BYTES
  if (!Number.isInteger(count)) return malformed(`ids: ${ids.byteLength} bytes`)
  if (sizes.length !== count) return malformed(`sizes: ${sizes.length} for ${count} ids`)
  const text = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength)
  const keys = new Set<MessageKey>()
  const items = sizes.map((sizeBytes, index): AnnouncedItem => {
    const start = index * MESSAGE_ID_BYTES
    const end = start + MESSAGE_ID_BYTES
    // Not a part of one long text, which would stay in memory with any of its parts.
    const key = text.toString('latin1', start, end)
    keys.add(key)
    return { id: ids.slice(start, end) as MessageId, key, sizeBytes }
  })
  return keys.size === count ? { value: { type: 'items', items } } : malformed('ids: one comes twice')
}

function readHead(wire: Value<typeof SWARM>): Decoded<Announcement> {
  const problem = problemOfHead(wire)
  if (problem !== undefined) return malformed(`swarm: ${problem}`)
  const { sizeBytes, chunkBytes, origin } = wire
  const swarm: SwarmHead = {
    id: wire.id.slice() as MessageId,
    sizeBytes,
    chunkBytes,
    root: wire.root.slice(),
    header: wire.header.slice(),
    origin,
    signature: wire.signature.slice(),
  }
  return { value: { type: 'swarm', swarm } }
}

/** What the limits of the fields do not say. */
function problemOfHead({ sizeBytes, chunkBytes, origin }: Value<typeof SWARM>): string | undefined {
  if (!isChunking(sizeBytes, chunkBytes)) return `${sizeBytes} bytes in chunks of ${chunkBytes}`
  // The text forms of peer ids have no other characters. It will be printed.
  return /^[0-9A-Za-z]+$/.test(origin) ? undefined : 'origin: is no peer id'
}

function malformed(problem: string): Decoded<Announcement> {
  return { problem, isExcess: false }
}

const PURPOSE = Buffer.from('floodgate-swarm-1\0')

/**
 * What the origin of a swarm signs:
 *
 *   "floodgate-swarm-1" ‖ a zero byte ‖ for each of network, topic and origin: length (4 bytes) ‖ UTF-8
 *   ‖ id ‖ size (8 bytes) ‖ chunk size (4 bytes) ‖ root ‖ BLAKE2b-160(header)
 *
 * with big-endian numbers. No two heads, networks or topics have the same bytes, and nothing else that a peer signs
 * begins so.
 * @param topic the topic of the payload, not that of its announcements
 */
export function signedBytes(network: string, topic: Topic, head: Omit<SwarmHead, 'signature'>): Uint8Array {
  const names = [network, topic, head.origin].flatMap(name => {
    const utf8 = Buffer.from(name)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(utf8.byteLength)
    return [length, utf8]
  })
  const sizes = Buffer.alloc(12)
  sizes.writeBigUInt64BE(BigInt(head.sizeBytes))
  sizes.writeUInt32BE(head.chunkBytes, 8)
  const parts = [PURPOSE, ...names, head.id, sizes, head.root, digestOf(head.header)]
  return Uint8Array.from(Buffer.concat(parts))
}
