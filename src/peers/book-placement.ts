/**
 * Where an address may stand in the book: its bucket and its place there, by a keyed hash.
 *
 * As in Bitcoin Core's addrman, with BLAKE2b-64 in place of truncated SHA-256 (H), `key` being 32 secret bytes:
 *
 *   bucket of new   = H(key, source group, H(key, group, source group) mod 64) mod 1024
 *   bucket of tried = H(key, group, H(key, endpoint) mod 8) mod 256
 *   place           = H(key, table, bucket, endpoint) mod 64
 *
 * - Who tells us addresses reaches 64 of the 1,024 buckets of `new`, however many addresses and groups it names.
 * - A group reaches 8 of the 256 buckets of `tried`, however many addresses it has.
 * - An address has one place in a bucket. Offering it again does not give it another chance, and an attacker that does
 *   not know the key cannot choose addresses that push out a certain other one.
 *
 * The key is the begin of what is hashed. With BLAKE2b that is as safe as its keyed mode (nothing can be computed from
 * a hash about longer inputs), costs one block in place of two, and needs no hasher for each key.
 */
import assert from 'node:assert/strict'
import { createBLAKE2b } from 'hash-wasm'
import type { Endpoint, Group } from '../core/endpoint.ts'

export const NEW_BUCKETS = 1_024
export const TRIED_BUCKETS = 256
/** How many addresses a bucket holds. */
export const BUCKET_PLACES = 64
/** How many buckets of `new` the addresses reach that one source group tells. */
export const NEW_BUCKETS_PER_SOURCE_GROUP = 64
/** How many buckets of `tried` the addresses of one group reach. */
export const TRIED_BUCKETS_PER_GROUP = 8

export const BOOK_KEY_BYTES = 32

/** No text that is hashed is longer: its length is one byte. */
export const TEXT_MAX = 255

export type Table = 'new' | 'tried'

/** What is hashed starts with one of these, so that no question has the answer of another. */
const KIND = { spread: 0, newBucket: 1, address: 2, triedBucket: 3, new: 4, tried: 5 } as const

// One instance serves all books: a hash is init, update, digest without an await between them.
const hasher = await createBLAKE2b(64)

/** BLAKE2b-64. */
export function blake2b64(bytes: Uint8Array): Uint8Array {
  return hasher.init().update(bytes).digest('binary')
}

/** Whether a text can be hashed and stored: 1 to 255 printable characters of ASCII, without blanks. */
export function isShortText(text: string): boolean {
  return /^[\x21-\x7e]{1,255}$/.test(text)
}

/** The placement under one key. */
export class Placement {
  /** The key, one byte for the kind, four for a number, then texts with their lengths. */
  readonly #input = new Uint8Array(BOOK_KEY_BYTES + 5 + 2 * (1 + TEXT_MAX))
  readonly #view = new DataView(this.#input.buffer)

  /** @param key 32 bytes, copied */
  constructor(key: Uint8Array) {
    assert.equal(key.byteLength, BOOK_KEY_BYTES)
    this.#input.set(key)
  }

  /** Both groups must be short texts. */
  newBucket(group: Group, sourceGroup: Group): number {
    const spread = this.#hash(KIND.spread, 0, group, sourceGroup) % NEW_BUCKETS_PER_SOURCE_GROUP
    return this.#hash(KIND.newBucket, spread, sourceGroup) % NEW_BUCKETS
  }

  triedBucket(endpoint: Endpoint, group: Group): number {
    const spread = this.#hash(KIND.address, 0, endpoint) % TRIED_BUCKETS_PER_GROUP
    return this.#hash(KIND.triedBucket, spread, group) % TRIED_BUCKETS
  }

  /** 0 to 63. */
  place(table: Table, bucket: number, endpoint: Endpoint): number {
    return this.#hash(KIND[table], bucket, endpoint) % BUCKET_PLACES
  }

  /** The first 32 of the 64 bits, big-endian: enough to be taken modulo a power of two. */
  #hash(kind: number, number: number, ...texts: string[]): number {
    const input = this.#input
    input[BOOK_KEY_BYTES] = kind
    this.#view.setUint32(BOOK_KEY_BYTES + 1, number)
    let length = BOOK_KEY_BYTES + 5
    for (const text of texts) {
      assert.ok(text.length <= TEXT_MAX)
      input[length++] = text.length
      for (let at = 0; at < text.length; at++) input[length++] = text.charCodeAt(at)
    }
    const [a = 0, b = 0, c = 0, d = 0] = blake2b64(input.subarray(0, length))
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
  }
}
