/**
 * The digest of trees and headers: BLAKE2b-160 over parts that lie one after the other.
 *
 * Why 20 bytes: what is looked for in vain is a second payload for a given root, 160 bits as for the message id. Two
 * payloads with one root (80 bits) could be made only by an origin, which could as well announce twice.
 * What goes in must say itself where its parts end, and begin with what no other use begins with.
 */
import { createBLAKE2b } from 'hash-wasm'

/** The length of a digest in bytes. */
export const DIGEST_BYTES = 20

// One instance serves all calls: a hash is init, update, digest with nothing between them.
const hasher = await createBLAKE2b(DIGEST_BYTES * 8)

/** A new digest of the parts' bytes; it belongs to the caller. */
export function digestOf(...parts: readonly Uint8Array[]): Uint8Array {
  hasher.init()
  for (const part of parts) hasher.update(part)
  return hasher.digest('binary')
}
